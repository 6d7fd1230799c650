-- Ends a grant, whatever its version. On a single server, the same step makes it due for a purge earlier.
-- KEYS[1] the record; KEYS[2] if given, the grants by the time at which they are due for a purge. ARGV: what of the
-- record follows its version; its time to live in ms; now in ms since 1970; for KEYS[2] what `set_due` wants.
-- Returns the user code of the record that was there, '' if it had none; nil if there is no record.
local head = redis.call('GETRANGE', KEYS[1], 0, 127)
if head == '' then
    return false
end
local version, code = string.match(head, '^(%d+) %-?%d+ ([^\n]*)\n')
-- The version of a damaged record is unknown: take the time, which no one has seen as its version.
local next = tonumber(version and version + 1 or ARGV[3])
if KEYS[2] then
    set_due(KEYS[2], ARGV[4], ARGV[5], ARGV[6])
end
redis.call('SET', KEYS[1], string.format('%.0f', next) .. ARGV[1], 'PX', ARGV[2])
return code or ''
