-- The beginning of the scripts that enter grants into indexes.

-- Whether the entry of this grant is an occasion to tidy up: ids are random, so it is every fourth time.
local function tidies(id)
    return string.byte(id, 16) % 4 == 0
end

-- Enters a grant into an index, and takes out some that have expired: even without sweeps, an index never has many more
-- entries than there are live grants. An entry is the id, 16 bytes, and its end in ms since 1970.
local function enter(index, id, ends, now, life)
    redis.call('ZADD', index, 0, id .. ends)
    if tidies(id) then
        -- The neighbours of a random id are a fair sample.
        for _, entry in ipairs(redis.call('ZRANGEBYLEX', index, '(' .. id .. ':', '+', 'LIMIT', 0, 12)) do
            local over = tonumber(string.sub(entry, 17))
            if not over or over < tonumber(now) then
                redis.call('ZREM', index, entry)
            end
        end
    end
    if redis.call('PTTL', index) < tonumber(life) then
        -- A minute more, so that not every entry changes it.
        redis.call('PEXPIRE', index, life + 60000)
    end
end

-- Sets when a grant is due for a purge; sometimes returns some grants that are overdue for one.
local function set_due(due, at, member, overdue)
    redis.call('ZADD', due, at, member)
    if tidies(member) then
        return redis.call('ZRANGEBYSCORE', due, '-inf', '(' .. overdue, 'LIMIT', 0, 8)
    end
    return {}
end
