-- Writes a record if the version that is there is the expected one. A record is `version expires code\nbody`.
-- KEYS[1] the record; ARGV: the expected version, '' for none; the record; its time to live in ms, '' for ever.
-- Returns the user code of the record that was there, '' if it had none; nil if the version was another one.
local head = redis.call('GETRANGE', KEYS[1], 0, 127)
local version, code = string.match(head, '^(%d+) %-?%d+ ([^\n]*)\n')
if head ~= '' and not version then
    return redis.error_reply('GRANTOR the record is damaged')
end
if (version or '') ~= ARGV[1] then
    return false
end
if ARGV[3] == '' then
    redis.call('SET', KEYS[1], ARGV[2])
else
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return code or ''
