"""The condition keys that a request to Secrets Manager carries."""

from ..call import Call
from ..policy.context import Context, Value
from ..policy.request_context import global_context
from ..world import World
from .model import KeyChoice, Secret


def context_of(world: World, call: Call, secret: Secret | None, key: KeyChoice | None = None) -> Context:
    """`key` is the one that the request chooses, if it chooses one."""
    params = call.params
    tags = params.get("Tags") or []
    values: dict[str, Value] = {
        "secretsmanager:SecretId": params.get("SecretId"),
        "secretsmanager:Name": params.get("Name"),
        "secretsmanager:Description": params.get("Description"),
        "secretsmanager:KmsKeyId": params.get("KmsKeyId"),
        "secretsmanager:KmsKeyArn": key.reference if key else None,
        "secretsmanager:BlockPublicPolicy": params.get("BlockPublicPolicy"),
        "secretsmanager:VersionId": params.get("VersionId"),
        "secretsmanager:VersionStage": params.get("VersionStage"),
        "secretsmanager:RecoveryWindowInDays": params.get("RecoveryWindowInDays"),
        "secretsmanager:ForceDeleteWithoutRecovery": params.get("ForceDeleteWithoutRecovery"),
        "secretsmanager:AddReplicaRegions": [r.get("Region", "") for r in params.get("AddReplicaRegions") or []]
        or None,
        "aws:TagKeys": [tag.get("Key", "") for tag in tags] or params.get("TagKeys"),
        **{f"aws:RequestTag/{tag.get('Key', '')}": tag.get("Value", "") for tag in tags},
    }
    if secret is not None:
        values |= {
            "aws:ResourceAccount": secret.place.account,
            "secretsmanager:SecretPrimaryRegion": secret.primary_region or secret.place.region,
            "secretsmanager:resource/AllowRotationLambdaArn": secret.rotation.lambda_arn if secret.rotation else None,
        }
        for name, value in secret.tags.items():
            values[f"aws:ResourceTag/{name}"] = value
            values[f"secretsmanager:ResourceTag/{name}"] = value
    return global_context(world, call).extended(values)
