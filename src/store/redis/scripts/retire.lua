-- Removes a record that expired before a moment, and on a single server takes it out of its indexes in the same step.
-- KEYS[1] the record; KEYS[2] if given, the grants by the time at which they are due for a purge; KEYS[3] and on, the
-- indexes. ARGV: the moment in ms since 1970; the member of KEYS[2]; the bounds of the record's entries in an index.
-- A damaged record counts as expired: it was due, and nothing else can be done with it.
-- Returns 'gone' and its user code if it was removed now, 'missing' if there is none, otherwise when it expires.
local head = redis.call('GETRANGE', KEYS[1], 0, 127)
local expires, code = string.match(head, '^%d+ (%-?%d+) ([^\n]*)\n')
if expires and tonumber(expires) >= tonumber(ARGV[1]) then
    if KEYS[2] then
        redis.call('ZADD', KEYS[2], expires, ARGV[2])
    end
    return expires
end
redis.call('DEL', KEYS[1])
for number = 3, #KEYS do
    redis.call('ZREMRANGEBYLEX', KEYS[number], ARGV[3], ARGV[4])
end
if KEYS[2] then
    redis.call('ZREM', KEYS[2], ARGV[2])
end
return head ~= '' and 'gone ' .. (code or '') or 'missing'
