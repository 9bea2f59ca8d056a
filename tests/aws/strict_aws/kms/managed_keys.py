"""AWS managed keys (`alias/aws/…`): usable through their service only, and nobody's to change (D§1.5, D§2.4)."""

import json

from moto.kms.models import Key

from ..partitions import partition_of_region
from ..policy.stored import StoredPolicy
from ..world import World


def default_policy(world: World, key: Key) -> StoredPolicy:
    return StoredPolicy.pin(world, partition_of_region(key.region), json.loads(key.generate_default_policy()))


def adopt(world: World, key: Key, alias: str) -> None:
    """Makes a key that moto creates on the first use of a reserved alias what AWS has there."""
    if key.key_manager == "AWS":
        return
    key.key_manager = "AWS"
    service = alias.removeprefix("alias/aws/")
    partition = partition_of_region(key.region)
    document = {
        "Version": "2012-10-17",
        "Id": f"auto-{service}-2",
        "Statement": [
            {
                "Sid": f"Allow access through {service} for all principals that may use it",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [
                    "kms:Encrypt",
                    "kms:Decrypt",
                    "kms:ReEncrypt*",
                    "kms:GenerateDataKey*",
                    "kms:CreateGrant",
                    "kms:DescribeKey",
                ],
                "Resource": "*",
                "Condition": {
                    "StringEquals": {
                        "kms:CallerAccount": key.account_id,
                        "kms:ViaService": f"{service}.{key.region}.amazonaws.com",
                    }
                },
            },
            {
                "Sid": "Allow direct access to key metadata to the account",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{partition}:iam::{key.account_id}:root"},
                "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
                "Resource": "*",
            },
        ],
    }
    key.policy = StoredPolicy.pin(world, partition, document)
