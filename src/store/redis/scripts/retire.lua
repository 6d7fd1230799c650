-- Removes a record that expired before a moment.
-- KEYS[1] the record; ARGV: the moment in ms since 1970.
-- Returns 'gone' and its user code if it was removed now, 'missing' if there is none, otherwise when it expires.
local head = redis.call('GETRANGE', KEYS[1], 0, 127)
if head == '' then
    return 'missing'
end
local expires, code = string.match(head, '^%d+ (%-?%d+) ([^\n]*)\n')
if not expires then
    return redis.error_reply('GRANTOR the record is damaged')
end
if tonumber(expires) >= tonumber(ARGV[1]) then
    return expires
end
redis.call('DEL', KEYS[1])
return 'gone ' .. code
