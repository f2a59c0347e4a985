// Package simulation holds no code: its test is a seeded simulation of the whole product. One goroutine, a virtual
// clock and one source of randomness play users, merchant, WeChat and trouble (lost, doubled, late and reordered
// pushes, answers lost before and after their effect, store calls that fail or happen behind an error, crashes between
// any two steps, both readings of what WeChat's documents leave open); then a week passes in peace and the promises are
// checked from outside, in the simulated WeChat's own books. XPAY_SEED=n replays one run, XPAY_SEEDS=n plays n of them.
package simulation
