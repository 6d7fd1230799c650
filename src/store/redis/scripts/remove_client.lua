-- Removes a client and takes it out of its indexes.
-- KEYS[1] the client; KEYS[2] all clients; ARGV: its id. Returns 'done' or 'missing'.
local before = redis.call('GET', KEYS[1])
if not before then
    return 'missing'
end
local owner = string.match(before, '^%d+ ([^\n]+)\n')
if owner then
    redis.call('ZREM', owner, ARGV[1])
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 'done'
