// Package e2e holds no code: its tests use the whole product from outside. The phone, WeChat, the merchant and strangers
// come through the HTTP door only; WeChat is the strict simulator of pkg/wechatsim; time is virtual, nothing sleeps.
//
// Each test is one sentence of what is promised. What a test expects is written down in it, or computed by code of its
// own (forge_test.go), never by the code that it examines.
package e2e
