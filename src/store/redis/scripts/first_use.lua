-- Whether a one-time key is new. The clock is the caller's: what is stored is until when the key counts as seen.
-- KEYS[1] the key; ARGV: now; until when; both in ms since 1970; time to live in ms. Returns 1 if it is new.
local seen = tonumber(redis.call('GET', KEYS[1]) or '')
if seen and tonumber(ARGV[1]) < seen then
    return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
