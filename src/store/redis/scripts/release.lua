-- Gives a user code back, if the grant still has it.
-- KEYS[1] the code; ARGV: the grant's id.
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
