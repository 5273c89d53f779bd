/**
 * What Redis does at one stroke: https://redis.io/docs/latest/develop/programmability/eval-intro/ A lease is a string of
 * its token, a space and its value.
 */

/**
 * KEYS: the lease, the last token. ARGV: value, ttl. Returns 1 and the token, or 0 and the lease. A token is the time in
 * microseconds, and greater than the last, so that tokens grow also when Redis has lost all it knew.
 */
export const take = `
local held = redis.call('GET', KEYS[1])
if held then return {0, held} end
local time = redis.call('TIME')
local last = tonumber(redis.call('GET', KEYS[2]) or 0)
local token = string.format('%.0f', math.max(last + 1, time[1] * 1000000 + time[2]))
redis.call('SET', KEYS[2], token)
redis.call('SET', KEYS[1], token .. ' ' .. ARGV[1], 'PX', ARGV[2])
return {1, token}`;

/** Begins what is done only while the lease KEYS[1] is held with the token ARGV[1]. */
const fenced = `
local held = redis.call('GET', KEYS[1])
if not held or string.match(held, '^%d+') ~= ARGV[1] then return 0 end`;

/** KEYS: the lease. ARGV: token, ttl, and the new value if there is one. */
export const renew = `${fenced}
if ARGV[3] then held = ARGV[1] .. ' ' .. ARGV[3] end
redis.call('SET', KEYS[1], held, 'PX', ARGV[2])
return 1`;

/** KEYS: the lease. Returns it, and how long it is held unless it is renewed, in milliseconds; or nothing. */
export const read = `
local held = redis.call('GET', KEYS[1])
return held and {held, redis.call('PTTL', KEYS[1])}`;

/** KEYS: the lease. ARGV: token. */
export const release = `${fenced}
redis.call('DEL', KEYS[1])
return 1`;

/** As in \`fenced\`, unless there is no token. */
const fencedIfAsked = `if ARGV[1] ~= '' then ${fenced}
end`;

/** KEYS: the fence's lease, the value, its kind. ARGV: token or "", value, ttl. */
export const set = `${fencedIfAsked}
local time = redis.call('TIME')
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[3], math.floor(time[1] * 1000 + time[2] / 1000) + ARGV[3], ARGV[4])
return 1`;

/** KEYS: the fence's lease, the value, its kind. ARGV: token or "", key. */
export const remove = `${fencedIfAsked}
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[2])
return 1`;

/** KEYS: a kind. Returns the keys of its values that have not expired. */
export const keys = `
local time = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', math.floor(time[1] * 1000 + time[2] / 1000))
return redis.call('ZRANGE', KEYS[1], 0, -1)`;
