package wechatsim_test

import (
	"encoding/json"
	"log"
	"net/http"
)

// sessionKey plays the backend's code2Session.
func sessionKey(base, code string) string {
	resp, err := http.Get(base + "/sns/jscode2session?appid=wx1234567890abcdef&secret=secret&grant_type=authorization_code&js_code=" + code)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct {
		SessionKey string `json:"session_key"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		log.Fatal(err)
	}
	return a.SessionKey
}
