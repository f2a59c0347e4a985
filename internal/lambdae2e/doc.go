// Package lambdae2e holds no code: its tests run the seven built bootstraps as Lambda would, behind an API Gateway and an
// event source mapping (package lambdatest), against a server that speaks AWS's protocol (moto) and the simulated WeChat.
// Time is real. The phone, WeChat, the merchant, the queue and the schedule come from outside only.
package lambdae2e
