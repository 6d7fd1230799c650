-- Enters a grant into an index that is in another slot than the grant.
-- KEYS[1] the index; KEYS[2] if given, the grants by the time at which a purge has to look at them.
-- ARGV: as `enter` wants it: the id; the entry's end; now; time to live in ms; and for KEYS[2] what `look` wants: the
-- time of the look, the member, and the time before which looks are overdue. Returns some of KEYS[2] that are.
enter(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])
if KEYS[2] then
    return look(KEYS[2], ARGV[5], ARGV[6], ARGV[7])
end
return {}
