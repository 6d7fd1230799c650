-- Writes a record if the version that is there is the expected one, and on a single server enters it into its indexes in
-- the same step. A record is `version expires code\nbody`.
-- KEYS[1] the record; KEYS[2] if given, the grants by the time at which they are due for a purge; KEYS[3] and on, the
-- indexes. ARGV: the expected version, '' for none; the record; its time to live in ms, '' for ever; for KEYS[2] what
-- `set_due` wants; and for the indexes what `enter` wants.
-- Returns the user code of the record that was there, '' if it had none, and grants that are overdue for a purge; nil
-- if the version was another one.
local head = redis.call('GETRANGE', KEYS[1], 0, 127)
local version, code = string.match(head, '^(%d+) %-?%d+ ([^\n]*)\n')
if head ~= '' and not version then
    return redis.error_reply('GRANTOR the record is damaged')
end
if (version or '') ~= ARGV[1] then
    return false
end
local overdue = {}
if KEYS[2] then
    overdue = set_due(KEYS[2], ARGV[4], ARGV[5], ARGV[6])
end
for number = 3, #KEYS do
    enter(KEYS[number], ARGV[7], ARGV[8], ARGV[9], ARGV[10])
end
if ARGV[3] == '' then
    redis.call('SET', KEYS[1], ARGV[2])
else
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return {code or '', unpack(overdue)}
