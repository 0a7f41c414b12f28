"""What Redis does in one go, so that neither a lost answer nor a late writer leaves a stream in a wrong state."""

from __future__ import annotations

OPEN = """
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local attempt = 1
if newest then attempt = tonumber(string.match(newest[1], '^%d+')) + 1 end
redis.call('XADD', KEYS[1], attempt .. '-0', 'open', '')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('SET', KEYS[2], attempt, 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[3], attempt .. '-0')
return attempt
"""
"""Opens the next attempt of a run, and returns its number.

Keys: the stream, and what shows that the process of the run is alive. Arguments: the milliseconds that the stream is
kept, those that the sign of life lasts, and the channel of news.
"""

APPEND = """
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local attempt, first = tonumber(ARGV[1]), tonumber(ARGV[2])
if not newest then return -1 end
local of, last = string.match(newest[1], '^(%d+)-(%d+)$')
if tonumber(of) ~= attempt then return {tonumber(of)} end
last = tonumber(last)
if first > last + 1 then return -1 end
local count = (#ARGV - 7) / 2
for index = last + 1 - first, count - 1 do
    local at = 8 + 2 * index
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], attempt .. '-' .. (first + index), ARGV[at], ARGV[at + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('SET', KEYS[2], attempt, 'PX', ARGV[5])
redis.call('SET', KEYS[3], ARGV[7], 'PX', ARGV[4])
redis.call('PUBLISH', ARGV[6], attempt .. '-' .. (first + count - 1))
return first + count - 1
"""
"""Adds entries that have not been added yet, and returns the number of the last one.

A list with the newest attempt is returned, and nothing is added, if that is another one; and -1 if entries before these
are missing, which were stored once: the stream has expired, or Redis has lost it.

Keys: as above, and the facts of the attempt. Arguments: the attempt, the number of the first entry, the most entries
to keep, the milliseconds that the stream is kept, those that the sign of life lasts, the channel of news, the facts,
and for each entry its field and value.
"""
