"""Which partition a Region belongs to (D§7: by the Region's name, never by the DNS suffix)."""

DEFAULT_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


def partition_of_region(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    if region.startswith("us-gov-"):
        return "aws-us-gov"
    return "aws"


def partition_of_arn(arn: str) -> str:
    """The partition that an ARN names, or `aws` where it is no ARN."""
    parts = arn.split(":", 2)
    return parts[1] if len(parts) == 3 and parts[1] in DEFAULT_REGIONS else "aws"
