"""Writes random requests and botocore's signatures of them, one JSON object a line.

    random-signatures.py SEED COUNT
"""
import datetime, hashlib, json, random, string, sys
from urllib.parse import quote
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

chance = random.Random(int(sys.argv[1]))
moment = None
botocore.auth.get_current_datetime = lambda remove_tzinfo=True: moment
TEXT = string.ascii_letters + string.digits + "-._~ +%&=?#@:!$'()*,;/\"<>[]\u00e9\u4e2d\U0001f600"


def text(low, high, letters=TEXT):
    return "".join(chance.choice(letters) for _ in range(chance.randint(low, high)))


def path():
    parts = [chance.choice(["", ".", "..", "a"]) if chance.random() < 0.2 else quote(text(1, 12), safe="")
             for _ in range(chance.randint(0, 5))]
    return "/" + "/".join(parts)


def query():
    parts = []
    for _ in range(chance.randint(0, 5)):
        name = chance.choice(["a", "A", "a-b", "list-type"]) if chance.random() < 0.5 else quote(text(1, 8), safe="")
        parts.append(name + chance.choice(["", "=", "=" + quote(text(1, 10), safe="")]))
    return "?" + "&".join(parts) if parts else ""


for _ in range(int(sys.argv[2])):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=chance.randint(0, 4102444799))
    is_s3 = chance.random() < 0.5
    scheme = chance.choice(["http", "https"])
    host = chance.choice(["s3.amazonaws.com", "my-bucket.s3.eu-west-1.amazonaws.com", "127.0.0.1", "[::1]"])
    host += chance.choice(["", "", ":80", ":443", ":9000"])
    url = scheme + "://" + host + path() + query()
    body = text(0, 60).encode()
    plain = string.ascii_letters + string.digits + "  ;,="
    headers = {name: text(0, 30, plain).strip() for name in
               chance.sample(["If-Match", "Content-Type", "X-Amz-Meta-A", "x-amz-target", "Range", "User-Agent",
                              "Expect", "X-Amzn-Trace-Id", "Content-MD5"], chance.randint(0, 5))}
    method = chance.choice(["GET", "PUT", "POST", "HEAD", "DELETE"])
    key, secret = text(20, 20, string.ascii_uppercase), text(40, 40, string.ascii_letters + "+/")
    token = text(1, 200, string.ascii_letters + "+/=") if chance.random() < 0.5 else None
    region = chance.choice(["us-east-1", "eu-central-1", "sa-east-1"])
    service = "s3" if is_s3 else chance.choice(["sts", "secretsmanager"])
    request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
    signer = botocore.auth.S3SigV4Auth if is_s3 else botocore.auth.SigV4Auth
    signer(Credentials(key, secret, token), service, region).add_auth(request)
    print(json.dumps({
        "method": method, "url": url, "fields": headers, "body": body.hex(), "key": key, "secret": secret,
        "token": token, "region": region, "service": service,
        "seconds": int((moment - datetime.datetime(1970, 1, 1)).total_seconds()),
        "unsigned": request.headers.get("X-Amz-Content-SHA256") == "UNSIGNED-PAYLOAD",
        "authorization": request.headers["Authorization"]}))
