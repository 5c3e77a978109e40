"""Serves moto, which plays AWS, on a free port of 127.0.0.1, and checks signatures.

Prints one line of JSON (port, key, secret, role) when it serves. Ends with its stdin, from which
it takes orders, one line each, and answers "done":

    bucket NAME [REGION]             makes a bucket
    put BUCKET KEY FILE [PARTS]      uploads a file, in parts of 5 MiB if said
    secret NAME TEXT                 makes or replaces a secret
"""
import json
import os
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from moto.server import ThreadedMotoServer
import urllib.request

os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
port = server.get_host_and_port()[1]
address = f"http://127.0.0.1:{port}"


def client(service, key="setup", secret="setup", region="eu-central-1"):
    return boto3.client(service, endpoint_url=address, aws_access_key_id=key,
                        aws_secret_access_key=secret, region_name=region,
                        config=Config(s3={"addressing_style": "path"}, proxies={}))


everything = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "*", "Resource": "*"}]})
anyone = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]})
iam = client("iam")
iam.create_user(UserName="deployex")
iam.put_user_policy(UserName="deployex", PolicyName="all", PolicyDocument=everything)
made = iam.create_access_key(UserName="deployex")["AccessKey"]
role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=anyone)["Role"]["Arn"]
iam.put_role_policy(RoleName="reader", PolicyName="all", PolicyDocument=everything)
# From now on whoever is not known, or signs wrongly, is refused.
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
    urllib.request.Request(f"{address}/moto-api/reset-auth", data=b"0", method="POST",
                           headers={"Content-Type": "text/plain"}))
key, secret = made["AccessKeyId"], made["SecretAccessKey"]
print(json.dumps({"port": port, "key": key, "secret": secret, "role": role}), flush=True)

for line in sys.stdin:
    words = line.rstrip("\n").split(" ")
    if words[0] == "bucket":
        region = words[2] if len(words) > 2 else "eu-central-1"
        client("s3", key, secret, region).create_bucket(
            Bucket=words[1], CreateBucketConfiguration={"LocationConstraint": region})
    elif words[0] == "put":
        parts = len(words) > 4
        client("s3", key, secret).upload_file(
            words[3], words[1], words[2],
            Config=TransferConfig(multipart_threshold=5 << 20 if parts else 5 << 30,
                                  multipart_chunksize=5 << 20))
    elif words[0] == "secret":
        manager, text = client("secretsmanager", key, secret), " ".join(words[2:])
        try:
            manager.create_secret(Name=words[1], SecretString=text)
        except manager.exceptions.ResourceExistsException:
            manager.put_secret_value(SecretId=words[1], SecretString=text)
    print("done", flush=True)
server.stop()
