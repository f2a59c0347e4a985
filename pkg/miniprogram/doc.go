// Package miniprogram is the platform around a WeChat mini-program's server: login (code2Session), the access token,
// and the message push with its signatures and encryption. It needs the standard library only.
//
// # Login
//
//	app := &miniprogram.App{ID: "wx...", Secret: miniprogram.Secret(secret)}
//	session, err := app.Code2Session(ctx, code) // the code of wx.login: five minutes, once
//
// errors.Is tells what to do: ErrCodeUsed and ErrCodeInvalid ask for another wx.login, ErrBlocked refuses the user,
// ErrBusy and ErrNoAnswer may be tried again, ErrConfig needs an operator and says why.
//
// # Access token
//
// Tokens keeps one token in memory and in an optional cache, and has the two methods of an xpay.TokenSource:
//
//	tokens := miniprogram.NewTokens(app, cache, nil)
//
// It uses stable_token, which gives the same token to everybody, so any number of processes can run it at once.
//
// # Message push
//
// Bytes in, event out; no HTTP types, so it serves any framework:
//
//	push, err := miniprogram.NewPush(miniprogram.PushConfig{AppID: id, Tokens: tokens, AESKeys: keys})
//	// GET:  answer 200 with
//	echo, err := push.Echo(r.URL.Query())
//	// POST: read at most 64 KiB of body, then
//	message, err := push.Open(r.URL.Query(), body)
//	reply, contentType, err := push.Seal(message, answer)
//
// Only a message with Encrypted set is covered by a signature: in plain mode the body is a hint to be confirmed.
// One URL gets every event of the mini-program; answer "success" to those you do not know. Forge makes correctly
// signed pushes for your own tests.
package miniprogram
