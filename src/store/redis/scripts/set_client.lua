-- Writes a client and enters it into its indexes. A client is `revision owner's index\nbody`, the index empty without
-- an owner.
-- KEYS[1] the client; KEYS[2] all clients; KEYS[3] if given, those of its owner; all in one slot.
-- ARGV: the revision that has to be there, '' for no client; the client; its id.
-- Returns 'done', or what is in the way: 'exists', 'missing' or 'changed'.
local before = redis.call('GET', KEYS[1])
local revision, owner = string.match(before or '', '^(%d+) ([^\n]*)\n')
if before and not revision then
    return redis.error_reply('GRANTOR the client is damaged')
end
if ARGV[1] == '' then
    if before then
        return 'exists'
    end
elseif not before then
    return 'missing'
elseif revision ~= ARGV[1] then
    return 'changed'
end
if owner and owner ~= '' then
    redis.call('ZREM', owner, ARGV[3])
end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], 0, ARGV[3])
if KEYS[3] then
    redis.call('ZADD', KEYS[3], 0, ARGV[3])
end
return 'done'
