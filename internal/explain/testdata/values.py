"""Makes values.json: wrong signatures and the mistakes behind them, with Python's hmac and hashlib only.

python3 values.py >values.json
"""
import base64, hashlib, hmac, json

URI, KEY, SESSION = "/xpay/query_user_balance", "12345", "9hAb/NEYUlkaMBEsmFgzig=="
BODY = '{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}'
COMPACT = '{"openid":"xxx","user_ip":"127.0.0.1","env":0}'
CHINESE = '{"offerId":"1450019686","buyQuantity":1,"env":0,"currencyType":"CNY","productId":"product_001","goodsPrice":100,"outTradeNo":"order12345","attach":"attach中文"}'
ESCAPED = CHINESE.replace("中文", "\\u4e2d\\u6587")
HTML = '{"productId":"a<b>&c=\'d\'","path":"x/y","env":0}'
PHONE = "requestVirtualPayment"
PROD, SAND = "production-key-0001", "sandbox-key-0002"

rows = []


def mac(key, text, h=hashlib.sha256):
    key = key.encode() if isinstance(key, str) else key
    text = text.encode() if isinstance(text, str) else text
    return hmac.new(key, text, h)


def row(name, want, got, of="pay_sig", uri=URI, key=KEY, body=BODY, session="", other="", token=""):
    rows.append({"name": name, "want": want.split(), "of": of, "uri": uri, "appKey": key, "sessionKey": session,
                 "otherAppKey": other, "accessToken": token, "body": body, "got": got})


def pay(name, want, text, **how):
    """text is the whole signed text."""
    row(name, want, mac(how.get("key", KEY), text).hexdigest(), **how)


# The uri
pay("V1-a: no slash", "no-slash", "xpay/query_user_balance&" + BODY)
pay("V1-b: a query with the token x", "query-in-uri", URI + "?access_token=x&" + BODY)
pay("a query with the real token", "query-in-uri", URI + "?access_token=87_abcdef&" + BODY, token="87_abcdef")
pay("the full address", "host-in-uri", "https://api.weixin.qq.com" + URI + "&" + BODY)
pay("the host", "host-in-uri", "api.weixin.qq.com" + URI + "&" + BODY)
pay("a slash too many", "trailing-slash", URI + "/&" + BODY)
pay("another API", "other-uri", "/xpay/query_order&" + BODY)
pay("without /xpay", "other-uri", "/query_user_balance&" + BODY)
pay("the phone's name for the server", "other-uri", PHONE + "&" + BODY)
pay("the phone's name as a path", "client-uri", "/xpay/" + PHONE + "&" + CHINESE, uri=PHONE, body=CHINESE, key=PROD)
pay("the phone's name with wx.", "client-uri", "wx." + PHONE + "&" + CHINESE, uri=PHONE, body=CHINESE, key=PROD)
pay("a path for the phone", "other-uri", "/xpay/query_order&" + CHINESE, uri=PHONE, body=CHINESE, key=PROD)
pay("capitals in the uri", "uri-case", "requestvirtualpayment&" + CHINESE, uri=PHONE, body=CHINESE, key=PROD)
pay("an encoded uri", "uri-encoded", "%2Fxpay%2Fquery_user_balance&" + BODY)
pay("no uri", "no-uri", BODY)
pay("an empty uri", "empty-uri", "&" + BODY)
pay("no ampersand", "no-ampersand", URI + BODY)
pay("a question mark instead", "separator", URI + "?" + BODY)
pay("a newline instead", "separator", URI + "\n" + BODY)
pay("body first", "body-first", BODY + "&" + URI)
pay("the method first", "separator", "POST&" + URI + "&" + BODY)

# The body
pay("V1-c: without spaces", "re-serialized", URI + "&" + COMPACT)
pay("V1-e: a newline of Go's encoder", "newline", URI + "&" + BODY + "\n")
pay("CRLF at the end", "newline", URI + "&" + BODY + "\r\n")
pay("a newline sent but not signed", "newline", URI + "&" + BODY, body=BODY + "\n")
pay("a space behind", "spaces", URI + "&" + BODY + " ")
pay("a byte order mark", "bom", URI + "&\ufeff" + BODY)
pay("a byte order mark sent but not signed", "bom", URI + "&" + BODY, body="\ufeff" + BODY)
pay("CRLF inside", "crlf", URI + '&{\r\n"env":0}', body='{\n"env":0}')
pay("LF inside", "crlf", URI + '&{\n"env":0}', body='{\r\n"env":0}')
pay("a NUL behind", "nul-ended", URI + "&" + BODY + "\0")
pay("sorted with spaces", "key-order", URI + "&" + json.dumps(json.loads(BODY), sort_keys=True))
pay("sorted without spaces", "key-order", URI + "&" + json.dumps(json.loads(BODY), sort_keys=True, separators=(",", ":")))
pay("another order", "key-order", URI + '&{"user_ip":"127.0.0.1","env":0,"openid":"xxx"}')
pay("indented by two", "re-serialized", URI + "&" + json.dumps(json.loads(BODY), indent=2))
pay("indented by a tab", "re-serialized", URI + "&" + json.dumps(json.loads(BODY), indent="\t"))
pay("D1: escapes of Chinese", "unicode-escapes", PHONE + "&" + ESCAPED, uri=PHONE, body=CHINESE, key=PROD)
pay("raw Chinese signed, escapes sent", "re-serialized", PHONE + "&" + CHINESE, uri=PHONE, body=ESCAPED, key=PROD)
pay("Python's dumps of Chinese", "unicode-escapes", PHONE + "&" + json.dumps(json.loads(CHINESE)), uri=PHONE, body=CHINESE, key=PROD)
pay(".NET's capitals", "unicode-escapes", PHONE + "&" + CHINESE.replace("中文", "\\u4E2D\\u6587"), uri=PHONE, body=CHINESE, key=PROD)
pay("D2: Go's HTML escapes", "html-escapes", "/a&" + '{"productId":"a\\u003cb\\u003e\\u0026c=\'d\'","path":"x/y","env":0}', uri="/a", body=HTML)
pay("Go's HTML escapes of a map", "html-escapes", "/a&" + '{"env":0,"path":"x/y","productId":"a\\u003cb\\u003e\\u0026c=\'d\'"}', uri="/a", body=HTML)
pay("Gson's HTML escapes", "html-escapes", "/a&" + '{"productId":"a\\u003cb\\u003e\\u0026c\\u003d\\u0027d\\u0027","path":"x/y","env":0}', uri="/a", body=HTML)
pay("HTML escapes sent, plain signed", "re-serialized", "/a&" + HTML, uri="/a", body='{"productId":"a\\u003cb\\u003e\\u0026c=\'d\'","path":"x/y","env":0}')
pay("PHP's slashes", "slash-escapes", "/a&" + HTML.replace("x/y", "x\\/y"), uri="/a", body=HTML)
pay("PHP's slashes and Chinese", "unicode-escapes", "/a&" + '{"a":"\\u4e2d\\/","env":0}', uri="/a", body='{"a":"中/","env":0}')
pay("entities", "html-escapes", "/a&" + HTML.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"), uri="/a", body=HTML)
pay("stringified twice", "stringified", PHONE + "&" + json.dumps(CHINESE, ensure_ascii=False), uri=PHONE, body=CHINESE, key=PROD)
pay("an object printed", "not-json", PHONE + "&[object Object]", uri=PHONE, body=CHINESE, key=PROD)
pay("a dict printed", "not-json", URI + "&" + str(json.loads(BODY)))
pay("a map printed", "not-json", URI + "&{openid=xxx, user_ip=127.0.0.1, env=0}")
pay("as pairs", "form", URI + "&openid=xxx&user_ip=127.0.0.1&env=0")
pay("as sorted pairs", "form", URI + "&env=0&openid=xxx&user_ip=127.0.0.1")
pay("URL-encoded", "url-encoded", URI + "&%7B%22env%22%3A0%7D", body='{"env":0}')
pay("numbers as text", "types", URI + '&{"openid": "xxx", "user_ip": "127.0.0.1", "env": "0"}')
pay("a text as number", "types", URI + '&{"a":"1","env":0}', body='{"a":"1","env":"0"}')
pay("Gson's doubles", "doubles", URI + '&{"ts":1.668136271E9,"env":0.0}', body='{"ts":1668136271,"env":0}')
pay("an empty field left out", "dropped", URI + '&{"order_id":"A","env":0}', body='{"order_id":"A","wx_order_id":"","env":0}')
pay("a field not signed", "field", PHONE + '&{"offerId":"1","env":0}', uri=PHONE, body='{"offerId":"1","platform":"android","env":0}', key=PROD)
pay("another env signed", "env-changed", URI + '&{"openid": "xxx", "user_ip": "127.0.0.1", "env": 1}')
pay("env signed but not sent", "env-changed", URI + '&{"openid":"x","env":0}', body='{"openid":"x"}')
pay("an empty body", "empty-body", URI + "&")
pay("braces for a body", "empty-body", URI + "&{}")
pay("Latin-1", "charset", PHONE + "&" + CHINESE.encode().decode("latin-1"), uri=PHONE, body=CHINESE, key=PROD)

# The key
row("C3: the other env's key", "other-env-key", mac(SAND, URI + "&" + BODY).hexdigest(), key=PROD, other=SAND)
row("the sample's key", "sample-key", mac("12345", URI + "&" + BODY).hexdigest(), key=PROD)
row("the session key for pay_sig", "session-key", mac(SESSION, URI + "&" + BODY).hexdigest(), session=SESSION)
row("the AppKey for signature", "app-key", mac(KEY, BODY).hexdigest(), of="signature", session=SESSION)
row("a newline behind the key", "key-spaces", mac(KEY + "\n", URI + "&" + BODY).hexdigest())
row("a key in capitals", "key-case", mac(PROD.upper(), URI + "&" + BODY).hexdigest(), key=PROD)
row("an empty key", "empty-key", mac("", URI + "&" + BODY).hexdigest())
row("a quoted key", "key-encoded", mac('"12345"', URI + "&" + BODY).hexdigest())
row("a hashed key", "hashed-key", mac(hashlib.sha256(KEY.encode()).digest(), URI + "&" + BODY).hexdigest())
row("a hex key decoded", "decoded-appkey", mac(bytes.fromhex("00ff10"), URI + "&" + BODY).hexdigest(), key="00ff10")
row("V1-d: the session key decoded", "decoded-key", mac(base64.b64decode(SESSION), BODY).hexdigest(), of="signature", session=SESSION)
row("the session key URL-encoded", "key-encoded", mac("9hAb%2FNEYUlkaMBEsmFgzig%3D%3D", BODY).hexdigest(), of="signature", session=SESSION)
row("the session key without =", "key-encoded", mac("9hAb/NEYUlkaMBEsmFgzig", BODY).hexdigest(), of="signature", session=SESSION)
row("the uri in signature", "uri-in-user", mac(SESSION, URI + "&" + BODY).hexdigest(), of="signature", session=SESSION, key="", uri=URI)
row("C1: signature of nothing", "empty-body", mac(SESSION, "").hexdigest(), of="signature", session=SESSION)
row("braces signed for nothing", "empty-object", mac(SESSION, "{}").hexdigest(), of="signature", session=SESSION, key="", body="")
row("V1-c: signature of the body without spaces", "re-serialized", mac(SESSION, COMPACT).hexdigest(), of="signature", session=SESSION)

# The price
GOODS = '{"offerId":"1","env":0,"goodsPrice":10,"outTradeNo":"ORDER0001"}'
for signed in ["0.1", "0.10"]:
    pay("10 fen as " + signed, "yuan", PHONE + "&" + GOODS.replace("10,", signed + ","), uri=PHONE, body=GOODS)
for signed in ["18", "18.0", "18.00"]:
    pay("1800 fen as " + signed, "yuan", PHONE + "&" + GOODS.replace("10,", signed + ","), uri=PHONE, body=GOODS.replace("10,", "1800,"))
row("5 fen as 0.05", "yuan", mac(SESSION, GOODS.replace("10,", "0.05,")).hexdigest(), of="signature", uri=PHONE, body=GOODS.replace("10,", "5,"), session=SESSION)
pay("a refund in yuan", "yuan", "/xpay/refund_order&" + '{"left_fee":1850,"refund_fee":18.5}', uri="/xpay/refund_order", body='{"left_fee":1850,"refund_fee":1850}')

# The hash
TEXT = URI + "&" + BODY
row("HMAC-SHA1", "sha1", mac(KEY, TEXT, hashlib.sha1).hexdigest())
row("HMAC-MD5", "md5", mac(KEY, TEXT, hashlib.md5).hexdigest())
row("HMAC-SHA512", "sha512", mac(KEY, TEXT, hashlib.sha512).hexdigest())
row("MD5 of the text", "md5", hashlib.md5(TEXT.encode()).hexdigest())
row("MD5 of text and key", "md5", hashlib.md5((TEXT + KEY).encode()).hexdigest())
row("SHA-256 of the text", "plain-hash", hashlib.sha256(TEXT.encode()).hexdigest())
row("SHA-256 of key and text", "key-joined", hashlib.sha256((KEY + TEXT).encode()).hexdigest())
row("SHA-256 of text and key", "key-joined", hashlib.sha256((TEXT + KEY).encode()).hexdigest())
row("key and text swapped", "swapped", mac(TEXT, KEY).hexdigest())
row("HMAC over the hash", "hashed-body", mac(KEY, hashlib.sha256(TEXT.encode()).hexdigest()).hexdigest())
row("WeChat Pay v2, MD5 in capitals", "wechat-pay", hashlib.md5(b"env=0&openid=xxx&user_ip=127.0.0.1&key=12345").hexdigest().upper())
row("WeChat Pay v2, HMAC", "wechat-pay", mac(KEY, "env=0&openid=xxx&user_ip=127.0.0.1&key=12345").hexdigest())
row("WeChat Pay v2, HMAC in capitals without a uri or a key behind", "wechat-pay", mac(KEY, "env=0&openid=xxx&user_ip=127.0.0.1").hexdigest().upper())
row("the same with an empty field", "wechat-pay", mac(KEY, "a=&env=0").hexdigest().upper(), body='{"env":0,"a":""}')
row("the same without the empty field", "wechat-pay", mac(KEY, "env=0").hexdigest().upper(), body='{"env":0,"a":""}')

# The form
RIGHT = mac(KEY, TEXT)
row("capitals", "upper-case", RIGHT.hexdigest().upper())
row("base64", "base64", base64.b64encode(RIGHT.digest()).decode())
row("base64 for URLs", "base64", base64.urlsafe_b64encode(RIGHT.digest()).decode())
row("base64 of hex", "base64-hex", base64.b64encode(RIGHT.hexdigest().encode()).decode())
row("hex of hex", "hex-twice", RIGHT.hexdigest().encode().hex())
row("a newline behind", "spaces-got", RIGHT.hexdigest() + "\n")
row("0x before", "spaces-got", "0x" + RIGHT.hexdigest())
row("cut to 32 digits", "cut-off", RIGHT.hexdigest()[:32])
row("nothing", "empty", "")
row("undefined", "undefined", "undefined")

# Two at once
pay("no slash, without spaces", "no-slash re-serialized", "xpay/query_user_balance&" + COMPACT)
pay("without spaces, with a newline", "re-serialized newline", URI + "&" + COMPACT + "\n")
row("the other key, without spaces", "other-env-key re-serialized", mac(SAND, URI + "&" + COMPACT).hexdigest(), key=PROD, other=SAND)
row("sorted, in capitals", "key-order upper-case", mac(KEY, URI + '&{"env":0,"openid":"xxx","user_ip":"127.0.0.1"}').hexdigest().upper())
row("MD5 in capitals", "md5 upper-case", hashlib.md5(TEXT.encode()).hexdigest().upper())
row("HMAC-MD5 without slash", "no-slash md5", mac(KEY, "xpay/query_user_balance&" + BODY, hashlib.md5).hexdigest())
row("a decoded session key over the body without spaces", "decoded-key re-serialized", mac(base64.b64decode(SESSION), COMPACT).hexdigest(), of="signature", session=SESSION)
row("the session key over the body, as pay_sig in capitals", "app-key upper-case", mac(KEY, BODY).hexdigest().upper(), of="signature", session=SESSION, key=KEY)

print(json.dumps(rows, ensure_ascii=False, indent=1))
