// Package wechatsim is a strict, stateful WeChat for tests, demos and people with curl.
//
// It plays the part of WeChat that mini-program virtual payment (小程序虚拟支付) needs: login, access tokens, the
// cashier that opens on the phone, all APIs under /xpay (orders, coins, goods, bills, withdrawals, advert funds,
// complaints, subscriptions), and the message pushes with their signatures, encryption and repeats. A [Sim] is an [net/http.Handler]: mount it under any host, point the backend's WeChat
// base URL at it and the push URL at the backend.
//
// # Three doors
//
//   - The backend calls /sns, /cgi-bin and /xpay exactly as it calls api.weixin.qq.com.
//   - WeChat calls the backend: paid orders, refunds and complaints become pushes. They wait in a queue with a due
//     time; [Sim.DeliverDue] sends what is due now (simulated time), [Sim.Run] keeps sending (real time).
//   - The test plays the phone and the world through Go methods or POST /sim/...: it logs in, pays, closes,
//     refunds in the console, complains, sets faults and moves the clock.
//
// # What strict means
//
// A request that WeChat is documented to refuse is refused with WeChat's number. Where the documents are silent, one
// reading is the default and a switch in [Faults] gives the other one; README.md lists every such place.
//
// Signatures, encryption and field names are written here once more, on purpose, and checked on the published
// vectors: the simulator imports no code of the programs it examines, so that no mistake of theirs can hide in it.
//
// # Time, chance and restarts
//
// Nothing here looks at the clock but through Config.Now, and every identifier comes from Config.Seed, so the same
// calls in the same order give the same bytes. With Config.Journal every change is written down before its answer
// leaves; [Sim.Restore] continues from such a journal, pending pushes included.
package wechatsim
