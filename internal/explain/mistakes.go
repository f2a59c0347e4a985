package explain

// row makes a Mistake of the catalogue.
func row(what, whatZH, fix, fixZH string, traps ...int) Mistake {
	return Mistake{What: what, WhatZH: whatZH, Fix: fix, FixZH: fixZH, Traps: traps}
}

// IDs lists the catalogue, in no order.
func IDs() []string {
	ids := make([]string, 0, len(mistakes))
	for id := range mistakes {
		ids = append(ids, id)
	}
	return ids
}

// Find gives a mistake of the catalogue.
func Find(id string) (Mistake, bool) { m, ok := mistakes[id]; return m, ok }

// mistakes is the catalogue: what people do, and what to do instead. Traps are the rows of spec 9.1.
var mistakes = withIDs(map[string]Mistake{
	"empty": row("the signature is empty: it was not computed, or not passed as a query parameter", "签名为空：没有计算，或没有放在 URL 参数里",
		"put pay_sig (and signature) into the query of the URL, never into the body or a header", "把 pay_sig（和 signature）放进 URL 的查询参数，不要放进包体或请求头", 11, 13),
	"undefined": row("a JavaScript value that is no text was passed instead of the signature", "传入的不是签名文本，而是 undefined 或对象",
		"pass both paySig and signature, as the server returned them", "把服务端返回的 paySig 和 signature 原样传入", 11),

	"no-slash":       row("the uri was signed without its leading slash", "签名用的 uri 缺少开头的斜杠", "sign /xpay/..., with the slash", "uri 必须以斜杠开头：/xpay/...", 2),
	"trailing-slash": row("the uri was signed with another slash", "签名用的 uri 多了斜杠", "sign the path as it is: /xpay/query_order", "按原样使用路径：/xpay/query_order", 2),
	"query-in-uri":   row("the uri was signed with its query string", "签名用的 uri 带上了查询参数", "sign the path only, nothing from ? on", "只用路径签名，去掉 ? 及其后面的内容", 2),
	"host-in-uri":    row("the uri was signed with scheme or host", "签名用的 uri 带上了协议或域名", "sign the path only: /xpay/query_order", "只用路径签名：/xpay/query_order", 2),
	"client-uri":     row("the uri of a call on the phone must be its bare name", "前端支付的 uri 应为接口名本身", "sign with the uri requestVirtualPayment", "uri 固定为 requestVirtualPayment", 1),
	"other-uri":      row("another uri was signed", "签名用了别的 uri", "sign the path that is called; on the phone requestVirtualPayment", "用实际调用的路径签名；前端用 requestVirtualPayment", 1, 2),
	"uri-case":       row("the uri was signed in other capitals", "签名用的 uri 大小写不对", "keep the capitals of the documentation", "大小写与文档保持一致", 1),
	"uri-encoded":    row("the uri was URL-encoded before signing", "签名前对 uri 做了 URL 编码", "sign the uri as it is", "uri 不要编码", 2),
	"no-uri":         row("the body was signed without the uri", "只对包体签名，漏掉了 uri", "pay_sig is over uri + \"&\" + body; only signature is over the body alone", "pay_sig 的内容是 uri + \"&\" + 包体；只有 signature 只签包体", 1),
	"empty-uri":      row("the uri was empty", "uri 为空", "set the uri: the path, or requestVirtualPayment", "填写 uri：路径，或 requestVirtualPayment", 1),
	"no-ampersand":   row("the & between uri and body is missing", "uri 和包体之间缺少 &", "sign uri + \"&\" + body", "签名内容为 uri + \"&\" + 包体", 1, 3),
	"separator":      row("something other than & stands between uri and body", "uri 和包体之间不是 &", "sign uri + \"&\" + body", "签名内容为 uri + \"&\" + 包体", 3),
	"body-first":     row("the body was put before the uri", "包体放在了 uri 前面", "sign uri + \"&\" + body, in this order", "顺序为 uri + \"&\" + 包体", 3),
	"uri-in-user":    row("the user-state signature was made over uri + \"&\" + body", "用户态签名多拼了 uri", "signature is over the body alone", "signature 只对包体签名", 4),

	"re-serialized":   row("the body was serialized again: other bytes were signed than sent", "包体被重新序列化：签名的内容和发送的不一致", "serialize once, keep these bytes, sign and send them", "只序列化一次，签名和发送同一份字节", 3),
	"key-order":       row("the body was signed with its fields in another order", "签名时字段顺序不同", "serialize once, sign and send the same bytes", "只序列化一次，签名和发送同一份字节", 3),
	"html-escapes":    row("< > & were written as \\u003c \\u003e \\u0026 in one of the two places", "< > & 在一处被转义成 \\u003c \\u003e \\u0026", "sign and send the same bytes; in Go, SetEscapeHTML(false) only if both sides use it", "签名与发送用同一份字节；Go 中两边须一致使用 SetEscapeHTML(false)", 5),
	"unicode-escapes": row("Chinese was written as \\uXXXX in one of the two places", "中文在一处被写成 \\uXXXX", "sign and send the same bytes (Python: ensure_ascii, PHP: JSON_UNESCAPED_UNICODE)", "签名与发送用同一份字节（Python：ensure_ascii；PHP：JSON_UNESCAPED_UNICODE）", 3, 5),
	"slash-escapes":   row("/ was written as \\/ in one of the two places (PHP's json_encode)", "/ 在一处被写成 \\/（PHP 的 json_encode）", "sign and send the same bytes, or use JSON_UNESCAPED_SLASHES in both places", "签名与发送用同一份字节，或两处都加 JSON_UNESCAPED_SLASHES", 3, 5),
	"stringified":     row("the body was stringified twice", "包体被 JSON.stringify 了两次", "signData is a string already: sign and pass it unchanged", "signData 已经是字符串：原样签名、原样传入", 4),
	"not-json":        row("a printed object was signed instead of its JSON", "签名的是对象的打印结果，而不是 JSON", "serialize to JSON once, sign these bytes", "先序列化成 JSON，再对这些字节签名", 3),
	"form":            row("the fields were signed as a=1&b=2", "按 a=1&b=2 的键值对形式签名", "sign the JSON body as it is sent; this is not WeChat Pay v2", "直接对发送的 JSON 包体签名，不是微信支付 v2 的规则", 9),
	"url-encoded":     row("the body was URL-encoded before signing", "签名前对包体做了 URL 编码", "sign the bytes that are sent", "直接对发送的字节签名", 3),
	"types":           row("a number was signed as text, or a text as number", "数字和字符串类型不一致", "write the documented types, once, and sign these bytes", "按文档类型写一次，并对这些字节签名", 3, 12),
	"yuan":            row("a price was signed in yuan and sent in fen", "签名时价格单位是元，发送的单位是分", "write the price once, in fen, and sign the bytes that are sent", "价格只按分写一次，并对实际发送的字节签名", 3, 12),
	"doubles":         row("whole numbers became 1.0 on the way (Gson reads a map's numbers as doubles)", "整数变成了 1.0（Gson 读成了 double）", "do not parse and write the body again", "不要把包体解析后再写回", 3),
	"dropped":         row("empty fields were in one of the two bodies only (omitempty)", "空字段只出现在其中一份包体里（omitempty）", "serialize once, sign and send the same bytes", "只序列化一次，签名和发送同一份字节", 3),
	"field":           row("a field was added or taken out between signing and sending", "签名之后增删了字段", "serialize once, sign and send the same bytes; leave platform out", "只序列化一次，签名和发送同一份字节；不要加 platform", 3, 12),
	"env-changed":     row("env in the signed body differs from the one that was sent", "签名时的 env 与发送的不同", "take env from one place, and the AppKey of that env", "env 只取自一处，并使用该环境的 AppKey", 8),
	"empty-body":      row("an empty body was signed", "签名时包体为空", "sign the bytes that are sent", "对实际发送的字节签名", 3),
	"empty-object":    row("{} was signed where there is no body", "没有包体，却对 {} 签名", "sign what is sent: checkSessionKey is signed over nothing", "对实际发送的内容签名：checkSessionKey 对空字符串签名", 14),
	"charset":         row("the body was signed in another character set than UTF-8", "签名时不是 UTF-8 编码", "use UTF-8 for signing and sending", "签名和发送都用 UTF-8", 3),

	"newline":   row("the signed body ends in another newline (Go's json.Encoder, echo, an editor)", "签名内容末尾的换行不同（Go json.Encoder、echo、编辑器）", "cut the newline, or send it too; use printf %s instead of echo", "去掉换行，或一并发送；用 printf %s 代替 echo", 3),
	"crlf":      row("line ends were CRLF in one of the two places", "一处的换行是 CRLF", "sign the bytes that are sent", "对实际发送的字节签名", 3),
	"bom":       row("a byte order mark stands before the body in one of the two places", "一处的内容前有 BOM", "write UTF-8 without BOM", "使用不带 BOM 的 UTF-8", 3),
	"spaces":    row("spaces around the body were signed, or cut", "包体首尾的空白不一致", "sign the bytes that are sent", "对实际发送的字节签名", 3),
	"nul-ended": row("a NUL byte was signed after the body", "包体末尾多了 NUL 字节", "sign the length of the body only", "只对包体本身签名", 3),

	"other-env-key":  row("the AppKey of the other env was used", "用了另一个环境的 AppKey", "env 0 takes the 现网 AppKey, env 1 the 沙箱 AppKey", "env 为 0 用现网 AppKey，env 为 1 用沙箱 AppKey", 8),
	"sample-key":     row("the sample key 12345 of the documentation was used", "用了文档示例里的 AppKey 12345", "use your own AppKey of 虚拟支付 → 基本配置", "使用 虚拟支付 → 基本配置 里的 AppKey", 8),
	"decoded-key":    row("the session_key was base64-decoded before the HMAC", "session_key 做了 base64 解码", "use the session_key as the text that code2Session returned", "直接使用 code2Session 返回的 session_key 文本", 6),
	"decoded-appkey": row("the AppKey was decoded before the HMAC", "AppKey 做了解码", "use the AppKey as text", "AppKey 按文本使用", 8),
	"session-key":    row("the session_key was used where the AppKey belongs", "支付签名误用了 session_key", "pay_sig takes the AppKey, signature takes the session_key", "pay_sig 用 AppKey，signature 用 session_key", 4),
	"app-key":        row("the AppKey was used where the session_key belongs", "用户态签名误用了 AppKey", "signature takes the session_key, pay_sig takes the AppKey", "signature 用 session_key，pay_sig 用 AppKey", 4),
	"key-spaces":     row("the key has a newline or spaces around it (a file that ends in a newline)", "密钥前后有换行或空格（文件末尾的换行）", "trim the key when it is read", "读取密钥时去掉首尾空白", 8),
	"key-case":       row("the key was used in other capitals", "密钥大小写不对", "use the key as it is shown", "密钥按原样使用", 8),
	"key-encoded":    row("the key was encoded (base64, hex, URL, HTML or quoted) before the HMAC", "密钥被编码（base64、hex、URL、HTML 或加引号）", "use the key as plain text", "密钥按原始文本使用", 6, 8),
	"empty-key":      row("the key was empty: it was not configured", "密钥为空：没有配置", "configure the key, and refuse to start without", "配置密钥，缺失时拒绝启动", 8),
	"hashed-key":     row("the key was hashed before the HMAC", "密钥先做了哈希", "use the key as plain text", "密钥按原始文本使用", 9),

	"md5":         row("MD5 was used", "用了 MD5", "use HMAC-SHA256", "使用 HMAC-SHA256", 9),
	"sha1":        row("SHA-1 was used", "用了 SHA-1", "use HMAC-SHA256", "使用 HMAC-SHA256", 9),
	"sha512":      row("SHA-384 or SHA-512 was used", "用了 SHA-384 或 SHA-512", "use HMAC-SHA256", "使用 HMAC-SHA256", 9),
	"plain-hash":  row("a plain hash was used, without HMAC and key", "用了普通哈希，没有使用 HMAC 和密钥", "use HMAC-SHA256 with the key", "使用带密钥的 HMAC-SHA256", 9),
	"key-joined":  row("key and text were joined and hashed, which is no HMAC", "把密钥和内容拼接后做哈希，不是 HMAC", "use HMAC-SHA256 with the key", "使用 HMAC-SHA256", 9),
	"swapped":     row("key and text are swapped in the HMAC call", "HMAC 的密钥和内容传反了", "check the order of arguments with the documentation's sample: PHP hash_hmac(algo, data, key)", "核对参数顺序：PHP hash_hmac(algo, data, key)", 10),
	"wechat-pay":  row("WeChat Pay v2's rule was used: sorted a=1&b=2, with &key= at the end or in capitals", "用了微信支付 v2 的规则：排序的 a=1&b=2，末尾拼 &key= 或结果转大写", "HMAC-SHA256 over the raw body", "对原始包体做 HMAC-SHA256", 9),
	"hashed-body": row("the body was hashed first, and the hash signed", "先对包体做了哈希，再对哈希签名", "sign the body itself", "直接对包体签名", 9),

	"upper-case":  row("the value is in capitals", "结果是大写", "use lower-case hex", "使用小写十六进制", 9),
	"base64":      row("the value is base64, not hex", "结果是 base64，而不是十六进制", "use lower-case hex", "使用小写十六进制", 14),
	"base64-hex":  row("the value is base64 of the hex text", "结果是十六进制文本的 base64", "use the hex text itself", "直接使用十六进制文本", 14),
	"hex-twice":   row("the hex text was turned into hex again", "对十六进制文本又做了一次 hex", "use the hex text itself", "直接使用十六进制文本", 14),
	"spaces-got":  row("spaces, quotes, dashes or a prefix stand around the hex digits", "十六进制前后有空格、引号、连字符或前缀", "pass the 64 hex digits and nothing else", "只传 64 位十六进制", 9),
	"cut-off":     row("the value was cut off", "结果被截断", "keep all 64 digits; widen the column or variable", "保留全部 64 位，检查字段长度", 9),
	"leading-nul": row("leading zeros of the value are missing", "结果缺少前导零", "write every byte with two digits", "每个字节写成两位十六进制", 9),
})

func withIDs(rows map[string]Mistake) map[string]Mistake {
	for id, m := range rows {
		m.ID = id
		rows[id] = m
	}
	return rows
}
