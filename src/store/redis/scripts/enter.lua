-- Enters a grant into an index that is in another slot than the grant.
-- KEYS[1] the index; KEYS[2] if given, the grants by the time at which they are due for a purge.
-- ARGV: as `enter` wants it: the id; the entry's end; now; time to live in ms; and for KEYS[2] what `set_due` wants: the
-- due time, the member, and the time before which due times are overdue. Returns some of KEYS[2] that are.
enter(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])
if KEYS[2] then
    return set_due(KEYS[2], ARGV[5], ARGV[6], ARGV[7])
end
return {}
