#!/usr/bin/env python3
"""Checks the vectors beside it against Python's hmac and hashlib and against the openssl command, and writes
mistakes.json. It shares no code with the Go packages.

    python3 check.py            check everything; exit 1 and say what differs
    python3 check.py mistakes   write mistakes.json anew
"""
import base64, hashlib, hmac, json, os, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
problems = []


def load(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return json.load(f)


def hmac_hex(key, message, algorithm="sha256"):
    key = key if isinstance(key, bytes) else key.encode()
    return hmac.new(key, message.encode(), algorithm).hexdigest()


def openssl(*args, data):
    return subprocess.run(["openssl", *args], input=data, capture_output=True, check=True).stdout


def openssl_hmac(key, message):
    out = openssl("dgst", "-sha256", "-mac", "HMAC", "-macopt", "hexkey:" + key.encode().hex(), data=message.encode())
    return out.decode().split()[-1]


def push_signature(*parts):
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def same(what, got, want):
    if got != want:
        problems.append(f"{what}: computed {got}, the file says {want}")


def check_signatures():
    for v in load("signatures.json"):
        if v["paySig"]:
            same(v["id"] + " paySig", hmac_hex(v["appKey"], v["uri"] + "&" + v["body"]), v["paySig"])
            same(v["id"] + " paySig openssl", openssl_hmac(v["appKey"], v["uri"] + "&" + v["body"]), v["paySig"])
        if v["signature"]:
            same(v["id"] + " signature", hmac_hex(v["sessionKey"], v["body"]), v["signature"])
            same(v["id"] + " signature openssl", openssl_hmac(v["sessionKey"], v["body"]), v["signature"])
        for wrong in v.get("wrong", []):
            made = MISTAKES[wrong["how"]][1](v)
            for kind in ("paySig", "signature"):
                if kind in wrong:
                    same(wrong["id"] + " " + kind, made.get(kind), wrong[kind])


def check_push():
    for v in load("push.json"):
        if "signature" in v:
            same(v["id"] + " signature", push_signature(v["token"], v["timestamp"], v["nonce"]), v["signature"])
        if "encrypt" not in v:
            continue
        same(v["id"] + " msgSignature", push_signature(v["token"], v["timestamp"], v["nonce"], v["encrypt"]), v["msgSignature"])
        message = v["message"].encode()
        plain = v["random"].encode() + len(message).to_bytes(4, "big") + message + v["appId"].encode()
        pad = 32 - len(plain) % 32
        plain += bytes([pad]) * pad
        key = base64.b64decode(v["encodingAESKey"] + "=")
        cipher = ("enc", "-aes-256-cbc", "-nopad", "-K", key.hex())
        sealed = openssl(*cipher, "-iv", key[:16].hex(), data=plain)
        same(v["id"] + " encrypt", base64.b64encode(sealed).decode(), v["encrypt"])
        opened = openssl(*cipher, "-d", "-iv", key[:16].hex(), data=base64.b64decode(v["encrypt"]))
        same(v["id"] + " opened", opened, plain)
        for wrong in v.get("wrong", []):
            other = base64.b64encode(openssl(*cipher, "-iv", "00" * 16, data=plain)).decode()
            same(wrong["id"], other[: len(wrong["encryptPrefix"])], wrong["encryptPrefix"])


def check_others():
    for v in load("others.json"):
        for row in [v] + v.get("wrong", []):
            if "payEventSig" in row:
                same(v["id"], hmac_hex(row["appKey"], v["event"] + "&" + v["payload"]), row["payEventSig"])
        if v["kind"] == "hmac":
            same(v["id"], hmac_hex(v["key"], v["message"]), v["value"])


# --- what people get wrong: the id that `xpay explain` gives it, and the values that come out ---

def both(body):
    """Signs another body than the one that is sent."""
    return lambda v: dict(paySig=hmac_hex(v["appKey"], v["uri"] + "&" + body(v)), signature=hmac_hex(v["sessionKey"], body(v)))


def pay(message):
    return lambda v: dict(paySig=hmac_hex(v["appKey"], message(v)))


def dumps(v, **options):
    return json.dumps(json.loads(v["body"]), ensure_ascii=False, **options)


def stringy(v):
    texts = {k: str(x) if isinstance(x, int) else x for k, x in json.loads(v["body"]).items()}
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))


def html(s):
    return s.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def unicode_escapes(v):
    return "".join(c if ord(c) < 128 else f"\\u{ord(c):04x}" for c in v["body"])


def sorted_pairs(v):
    return "&".join(f"{k}={x}" for k, x in sorted(json.loads(v["body"]).items()))


def outputs(change):
    """Writes the right HMAC in another way."""
    return lambda v: dict(
        paySig=change(bytes.fromhex(hmac_hex(v["appKey"], v["uri"] + "&" + v["body"]))),
        signature=change(bytes.fromhex(hmac_hex(v["sessionKey"], v["body"]))))


def keys(change):
    """Uses another key than the right one."""
    return lambda v: dict(
        paySig=hmac_hex(change(v, v["appKey"], v["sessionKey"]), v["uri"] + "&" + v["body"]),
        signature=hmac_hex(change(v, v["sessionKey"], v["appKey"]), v["body"]))


def algorithm(name):
    return lambda v: dict(
        paySig=hmac_hex(v["appKey"], v["uri"] + "&" + v["body"], name), signature=hmac_hex(v["sessionKey"], v["body"], name))


MISTAKES = {
    "no leading slash": ("no-slash", pay(lambda v: v["uri"].lstrip("/") + "&" + v["body"])),
    "query string": ("query-in-uri", pay(lambda v: v["uri"] + "?access_token=x&" + v["body"])),
    "path of the client call": ("client-uri", pay(lambda v: "/xpay/" + v["uri"] + "&" + v["body"])),
    "slash before the client call": ("client-uri", pay(lambda v: "/" + v["uri"] + "&" + v["body"])),
    "whole URL": ("host-in-uri", pay(lambda v: "https://api.weixin.qq.com" + v["uri"] + "&" + v["body"])),
    "empty uri": ("empty-uri", pay(lambda v: "&" + v["body"])),
    "no uri": ("no-uri", pay(lambda v: v["body"])),
    "no ampersand": ("no-ampersand", pay(lambda v: v["uri"] + v["body"])),
    "uri in the user signature": ("uri-in-user", lambda v: dict(signature=hmac_hex(v["sessionKey"], v["uri"] + "&" + v["body"]))),
    "serialized again": ("re-serialized", both(lambda v: dumps(v, separators=(",", ":")))),
    "serialized with spaces": ("re-serialized", both(dumps)),
    "sorted keys": ("key-order", both(lambda v: dumps(v, separators=(",", ":"), sort_keys=True))),
    "indented": ("re-serialized", both(lambda v: dumps(v, indent=2))),
    "trailing newline": ("newline", both(lambda v: v["body"] + "\n")),
    "byte order mark": ("bom", both(lambda v: "\ufeff" + v["body"])),
    "stringified twice": ("stringified", both(lambda v: json.dumps(v["body"], ensure_ascii=False))),
    "HTML escapes": ("html-escapes", both(lambda v: html(v["body"]))),
    "unicode escapes": ("unicode-escapes", both(unicode_escapes)),
    "numbers as text": ("types", both(stringy)),
    "platform added": ("field", both(lambda v: v["body"].replace('"productId"', '"platform":"android","productId"'))),
    "empty object instead of nothing": ("empty-object", both(lambda v: "{}")),
    "sorted pairs": ("form", both(sorted_pairs)),
    "WeChat Pay v2, MD5": ("wechat-pay", lambda v: dict(
        paySig=hashlib.md5((sorted_pairs(v) + "&key=" + v["appKey"]).encode()).hexdigest().upper())),
    "MD5": ("md5", algorithm("md5")),
    "SHA-1": ("sha1", algorithm("sha1")),
    "plain SHA-256": ("plain-hash", lambda v: dict(paySig=hashlib.sha256((v["uri"] + "&" + v["body"]).encode()).hexdigest())),
    "upper case": ("upper-case", outputs(lambda mac: mac.hex().upper())),
    "base64": ("base64", outputs(lambda mac: base64.b64encode(mac).decode())),
    "base64 of hex": ("base64-hex", outputs(lambda mac: base64.b64encode(mac.hex().encode()).decode())),
    "arguments swapped": ("swapped", lambda v: dict(
        paySig=hmac_hex(v["uri"] + "&" + v["body"], v["appKey"]), signature=hmac_hex(v["body"], v["sessionKey"]))),
    "other env's key": ("other-env-key", lambda v: dict(
        paySig=hmac_hex({"12345": "67890", "67890": "12345"}[v["appKey"]], v["uri"] + "&" + v["body"]))),
    "session key for the AppKey": ("session-key", lambda v: dict(paySig=hmac_hex(v["sessionKey"], v["uri"] + "&" + v["body"]))),
    "AppKey for the session key": ("app-key", lambda v: dict(signature=hmac_hex(v["appKey"], v["body"]))),
    "newline behind the key": ("key-spaces", keys(lambda v, own, other: own + "\n")),
    "decoded session key": ("decoded-key", lambda v: dict(signature=hmac_hex(base64.b64decode(v["sessionKey"]), v["body"]))),
    "session key in JSON escapes": ("key-encoded", lambda v: dict(
        signature=hmac_hex(v["sessionKey"].replace("/", "\\/"), v["body"]))),
    "session key in URL escapes": ("key-encoded", lambda v: dict(
        signature=hmac_hex(v["sessionKey"].replace("/", "%2F").replace("+", "%2B").replace("=", "%3D"), v["body"]))),
}

# Which mistake is shown with which vector, and the trap of spec 9.1 that it is.
SHOWN = [
    (1, "path of the client call", "C2"), (1, "slash before the client call", "C2"), (1, "empty uri", "C2"), (1, "no uri", "C2"),
    (1, "no ampersand", "C2"), (2, "query string", "V1"), (2, "query string", "C5b"), (2, "no leading slash", "V1"),
    (2, "no leading slash", "C5b"), (2, "whole URL", "C5b"), (3, "serialized again", "V1"), (3, "serialized with spaces", "C2"),
    (3, "sorted keys", "C2"), (3, "sorted keys", "C5b"), (3, "indented", "C2"), (3, "trailing newline", "V1"),
    (3, "trailing newline", "C5b"), (3, "byte order mark", "C2"), (4, "stringified twice", "C2"),
    (5, "HTML escapes", "V3b"), (5, "unicode escapes", "V11"), (6, "decoded session key", "V1"), (6, "decoded session key", "C2"),
    (6, "session key in JSON escapes", "C2"), (6, "session key in URL escapes", "C2"), (8, "other env's key", "C3"),
    (8, "other env's key", "C2"), (8, "session key for the AppKey", "C2"), (8, "AppKey for the session key", "C2"),
    (8, "newline behind the key", "C2"), (9, "MD5", "C2"), (9, "SHA-1", "C2"), (9, "plain SHA-256", "C2"),
    (9, "upper case", "C2"), (9, "sorted pairs", "C2"), (9, "WeChat Pay v2, MD5", "C2"),
    (10, "arguments swapped", "C2"), (10, "arguments swapped", "C5b"), (12, "platform added", "C2"), (12, "numbers as text", "C2"),
    (14, "base64", "C1"), (14, "base64 of hex", "C1"), (14, "empty object instead of nothing", "C1"),
    (9, "uri in the user signature", "C2"), (14, "base64", "C2"),
]


def mistakes():
    vectors = {v["id"]: v for v in load("signatures.json")}
    rows = []
    for trap, name, vector in SHOWN:
        v = vectors[vector]
        mistake, make = MISTAKES[name]
        made = make(v)
        row = dict(trap=trap, mistake=mistake, how=name, vector=vector)
        for kind in ("paySig", "signature"):
            if kind in made and v[kind]:
                if made[kind] == v[kind]:
                    raise SystemExit(f"{name} is no mistake for {vector}")
                row[kind] = made[kind]
        rows.append(row)
    return rows


def main():
    rows = mistakes()
    if sys.argv[1:] == ["mistakes"]:
        with open(os.path.join(HERE, "mistakes.json"), "w", encoding="utf-8") as f:
            f.write(json.dumps(rows, ensure_ascii=False, indent=2) + "\n")
    check_signatures()
    check_push()
    check_others()
    same("mistakes.json", rows, load("mistakes.json"))
    for problem in problems:
        print(problem)
    print(f"{len(problems)} differences")
    sys.exit(1 if problems else 0)


main()
