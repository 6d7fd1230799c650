-- Enters a grant into an index, and takes out some that have expired: an index never has many more entries than
-- there are live grants, without anybody sweeping it. An entry is the id, 16 bytes, and its end in ms since 1970.
-- KEYS[1] the index; KEYS[2] if given, the grants by the time at which a purge has to look at them.
-- ARGV: the id; the entry's end; now; time to live in ms; and for KEYS[2] the time of the look, the member, and the
-- time before which looks are overdue. Returns some of KEYS[2] that are.
redis.call('ZADD', KEYS[1], 0, ARGV[1] .. ARGV[2])
-- Ids are random, so the neighbours of a new one are a fair sample.
local near = redis.call('ZRANGEBYLEX', KEYS[1], '(' .. ARGV[1] .. ':', '+', 'LIMIT', 0, 4)
for _, entry in ipairs(near) do
    local ends = tonumber(string.sub(entry, 17))
    if not ends or ends < tonumber(ARGV[3]) then
        redis.call('ZREM', KEYS[1], entry)
    end
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
if KEYS[2] then
    redis.call('ZADD', KEYS[2], ARGV[5], ARGV[6])
    return redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[7], 'LIMIT', 0, 2)
end
return {}
