-- Claims a user code for a grant, unless another one has it.
-- KEYS[1] the code; ARGV: the grant's id; time to live in ms. Returns 1 if the grant has it now.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
