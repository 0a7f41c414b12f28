"""What Redis does in one go, so that neither a lost answer nor a late writer leaves a stream in a wrong state."""

from __future__ import annotations

OPEN = """
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local attempt = 1
if newest then attempt = tonumber(string.match(newest[1], '^%d+')) + 1 end
redis.call('XADD', KEYS[1], attempt .. '-0', 'open', '')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], attempt, 'PX', ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[3], 'text', ARGV[4]) end
redis.call('PEXPIRE', KEYS[3], ARGV[1])
redis.call('PUBLISH', ARGV[3], attempt .. '-0')
return {attempt, redis.call('HEXISTS', KEYS[3], 'cancelled')}
"""
"""Opens the next attempt of a run, and returns its number, and whether the run was cancelled before.

Keys: the stream, what shows that the process of the run is alive, and the notes. Arguments: the milliseconds that the
stream is kept, those that the sign of life lasts, the channel of news, and the notes.
"""

APPEND = """
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local attempt, first = tonumber(ARGV[1]), tonumber(ARGV[2])
if not newest then return -1 end
local of, last = string.match(newest[1], '^(%d+)-(%d+)$')
if tonumber(of) ~= attempt then return {tonumber(of)} end
last = tonumber(last)
local count = (#ARGV - 8) / 2
if newest[2][1] == 'end' then
    local at = 9 + 2 * (last - first)
    if last < first or ARGV[at] ~= 'end' or ARGV[at + 1] ~= newest[2][2] then return {attempt} end
end
if first > last + 1 then return -1 end
local heads, values, size = {attempt .. '-' .. (first + count - 1)}, {}, 0
for index = last + 1 - first, count - 1 do
    local field, value = ARGV[9 + 2 * index], ARGV[10 + 2 * index]
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], attempt .. '-' .. (first + index), field, value)
    heads[#heads + 1], values[#values + 1], size = field .. ':' .. #value, value, size + #value
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('SET', KEYS[2], attempt, 'PX', ARGV[5])
redis.call('SET', KEYS[3], ARGV[7], 'PX', ARGV[4])
if redis.call('PEXPIRE', KEYS[4], ARGV[4]) == 1 then
    redis.call('HSETNX', KEYS[4], 'begun', ARGV[8])
    if count > 0 and ARGV[#ARGV - 1] == 'end' then redis.call('HSET', KEYS[4], 'over', ARGV[8]) end
end
local news = heads[1]
if #values > 0 and size <= 16384 then news = table.concat(heads, ' ') .. '\\n' .. table.concat(values) end
redis.call('PUBLISH', ARGV[6], news)
return first + count - 1
"""
"""Adds entries that have not been added yet, and returns the number of the last one.

A list with the newest attempt is returned, and nothing is added, if that is another one, or if somebody else has
written down the end of this one; and -1 if entries before these are missing, which were stored once: the stream has
expired, or Redis has lost it. The entries themselves are part of the news if they are not large, so that readers need
not fetch them; `news_of` reads it.

Keys: as above without the notes, the facts of the attempt, and the notes. Arguments: the attempt, the number of the
first entry, the most entries to keep, the milliseconds that the stream is kept, those that the sign of life lasts, the
channel of news, the facts, the time in seconds, and for each entry its field and value.
"""

DESCRIBE = """
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local notes = redis.call('HMGET', KEYS[3], 'text', 'dispatched', 'begun', 'over')
local facts = 0
if newest then facts = redis.call('EXISTS', KEYS[4] .. string.match(newest[1], '^%d+')) end
return {newest or false, redis.call('EXISTS', KEYS[2]), facts, notes}
"""
"""Returns the newest entry of a run, whether its process is alive, whether the attempt has begun, and the notes.

Keys: as for `OPEN`, and what the names of the facts of attempts begin with.
"""

BURY = """
if redis.call('EXISTS', KEYS[2]) == 1 or redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
if redis.call('HEXISTS', KEYS[3], 'dispatched') == 1 then return 0 end
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not newest then return 0 end
local of, last = string.match(newest[1], '^(%d+)-(%d+)$')
if newest[2][1] == 'end' or of ~= ARGV[1] then return 0 end
local id = of .. '-' .. (tonumber(last) + 1)
redis.call('XADD', KEYS[1], id, 'end', ARGV[2])
redis.call('HSET', KEYS[3], 'over', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
redis.call('PUBLISH', ARGV[4], id)
return 1
"""
"""Writes down the end of a run whose process gives no sign of life, if it was noted, and returns whether that was done.

Keys: as for `OPEN`. Arguments: the attempt, the end, the milliseconds that it is kept, the channel of news, the time.
"""

ENTER = """
local before = redis.call('ZRANGE', KEYS[2], 0, -1)
local place = redis.call('INCR', KEYS[3])
redis.call('ZADD', KEYS[1], place, ARGV[1])
redis.call('ZADD', KEYS[2], place, ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[3]))
for index = 1, 4 do redis.call('PEXPIRE', KEYS[index], ARGV[2]) end
redis.call('PUBLISH', ARGV[4], ARGV[1])
return before
"""
"""Adds a run to a group, and returns the members that were there before and have not left.

Keys: the members, those that have not left, the number of the last one, and the numbers of members. Arguments: the run,
the milliseconds that the group is kept, the most members, and the channel of the group.
"""
