"""IAM's quotas, names, grammar and protected roles (D§4.1, D§4.4)."""

import json

import pytest
from world import Account, Aws, allow, policy, refused, trusting


def put(account: Account, document: dict | str, name: str = "p", role: str = "r") -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    account.iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=text)


def sized(characters: int) -> str:
    """A policy of so many characters that count."""
    text = json.dumps(allow("kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/"), separators=(",", ":"))
    return text.replace(":key/", ":key/" + "x" * (characters - len(text)))


class TestSizes:
    @pytest.mark.parametrize(("kind", "limit"), [("role", 10_240), ("user", 2_048), ("group", 5_120)])
    def test_all_inline_policies_count_together(self, aws: Aws, kind: str, limit: int) -> None:
        account = aws.account()
        name = {f"{kind.title()}Name": "holder"}
        if kind == "role":
            account.role("holder")
        else:
            getattr(account.iam, f"create_{kind}")(**name)
        put_policy = getattr(account.iam, f"put_{kind}_policy")
        half = limit // 2
        put_policy(**name, PolicyName="a", PolicyDocument=sized(half))
        put_policy(**name, PolicyName="b", PolicyDocument=sized(limit - half))
        text = f"Maximum policy size of {limit} bytes exceeded for {kind} holder"
        with refused("LimitExceeded", text, 409):
            put_policy(**name, PolicyName="b", PolicyDocument=sized(limit - half + 1))
        put_policy(**name, PolicyName="a", PolicyDocument=sized(half - 1))
        put_policy(**name, PolicyName="b", PolicyDocument=sized(limit - half + 1))

    def test_white_space_between_tokens_is_free_and_inside_of_strings_is_not(self, aws: Aws) -> None:
        account = aws.account()
        account.role("r")
        text = sized(10_240)
        put(account, text.replace(",", " ,\n\t "))
        with refused("LimitExceeded"):
            put(account, text.replace(":key/x", ":key/x "))

    def test_a_managed_policy_holds_6144_characters(self, aws: Aws) -> None:
        account = aws.account()
        arn = account.iam.create_policy(PolicyName="p", PolicyDocument=sized(6_144))["Policy"]["Arn"]
        with refused("LimitExceeded", "Cannot exceed quota for PolicySize: 6144", 409):
            account.iam.create_policy(PolicyName="q", PolicyDocument=sized(6_145))
        with refused("LimitExceeded", "PolicySize"):
            account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=sized(6_145))

    def test_a_managed_policy_has_five_versions(self, aws: Aws) -> None:
        account = aws.account()
        document = json.dumps(allow("kms:Decrypt"))
        arn = account.iam.create_policy(PolicyName="p", PolicyDocument=document)["Policy"]["Arn"]
        for _ in range(4):
            account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=document)
        with refused("LimitExceeded", "A managed policy can have up to 5 versions.", 409):
            account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=document)
        account.iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
        made = account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
        assert made["PolicyVersion"]["VersionId"] == "v6"

    def test_ten_policies_can_be_attached(self, aws: Aws) -> None:
        account = aws.account()
        account.role("r")
        document = json.dumps(allow("kms:Decrypt"))
        arns = [
            account.iam.create_policy(PolicyName=f"p{n}", PolicyDocument=document)["Policy"]["Arn"] for n in range(11)
        ]
        for arn in [*arns[:10], arns[0]]:
            account.iam.attach_role_policy(RoleName="r", PolicyArn=arn)
        with refused("LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10", 409):
            account.iam.attach_role_policy(RoleName="r", PolicyArn=arns[10])
        assert account.iam.get_policy(PolicyArn=arns[0])["Policy"]["AttachmentCount"] == 1

    def test_adjusted_quotas_count_and_can_be_read(self, aws: Aws) -> None:
        account = aws.account()
        account.role("r")
        assert account.iam.get_account_summary()["SummaryMap"]["RolePolicySizeQuota"] == 10_240
        aws.admin("POST", "quotas", account=account.id, quotas={"RolePolicySizeQuota": 300})
        assert account.iam.get_account_summary()["SummaryMap"]["RolePolicySizeQuota"] == 300
        with refused("LimitExceeded", "Maximum policy size of 300 bytes exceeded for role r"):
            put(account, sized(301))


class TestGrammar:
    @pytest.mark.parametrize(
        "document",
        [
            "no json",
            policy(),
            allow("kms:Decrypt") | {"Version": "2008-10-17"},
            {"Statement": []},
            policy({"Effect": "Allow", "Action": "kms:Decrypt"}),
            policy({"Effect": "Allow", "Resource": "*"}),
            policy({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Principal": "*"}),
            allow("Decrypt"),
            allow("kms:Decrypt", "a-key"),
            allow("kms:Decrypt", Sid="with space"),
            allow("kms:Decrypt", Sid="with/slash"),
            policy(*(allow("kms:Decrypt", Sid="same")["Statement"] * 2)),
            allow("kms:Decrypt", Extra="x"),
        ],
    )
    def test_a_malformed_document_is_refused(self, aws: Aws, document: dict | str) -> None:
        account = aws.account()
        account.role("r")
        with refused("MalformedPolicyDocument", status=400):
            put(account, document)
        assert account.iam.list_role_policies(RoleName="r")["PolicyNames"] == []

    @pytest.mark.parametrize(
        "trust",
        [
            policy({"Effect": "Allow", "Action": "sts:AssumeRole"}),
            policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*", "Resource": "*"}),
            trusting("arn:aws:iam::123456789012:root"),
        ],
    )
    def test_a_malformed_trust_policy_is_refused(self, aws: Aws, trust: dict) -> None:
        account = aws.account()
        account.role("r")
        with refused("MalformedPolicyDocument"):
            account.role("other", trust=trust)
        with refused("MalformedPolicyDocument"):
            account.iam.update_assume_role_policy(RoleName="r", PolicyDocument=json.dumps(trust))


class TestNames:
    @pytest.mark.parametrize("name", ["with space", "with/slash", "x" * 129, "ünlaut", "sharedkey:a"])
    def test_a_policys_name_has_a_form(self, aws: Aws, name: str) -> None:
        account = aws.account()
        account.role("r")
        with refused("ValidationError", "policyName"):
            put(account, allow("kms:Decrypt"), name)

    def test_the_longest_and_oddest_legal_name_is_taken(self, aws: Aws) -> None:
        account = aws.account()
        account.role("r")
        name = "sharedkey@a_b+c=d,e.f-".ljust(128, "x")
        put(account, allow("kms:Decrypt"), name)
        assert account.iam.get_role_policy(RoleName="r", PolicyName=name)["PolicyName"] == name

    def test_names_that_differ_only_in_case_are_the_same(self, aws: Aws) -> None:
        account = aws.account()
        account.role("Reader")
        with refused("EntityAlreadyExists", "Role with name reader already exists.", 409):
            account.role("reader")
        account.user("Ann")
        with refused("EntityAlreadyExists"):
            account.user("ANN")
        document = json.dumps(allow("kms:Decrypt"))
        account.iam.create_policy(PolicyName="Use", PolicyDocument=document)
        with refused("EntityAlreadyExists"):
            account.iam.create_policy(PolicyName="use", PolicyDocument=document)
        assert account.iam.get_role(RoleName="Reader")["Role"]["RoleName"] == "Reader"


class TestProtectedRoles:
    def test_a_permission_sets_role_is_changed_by_aws_only(self, aws: Aws) -> None:
        account = aws.account()
        name, path = "AWSReservedSSO_Admin_0123456789abcdef", "/aws-reserved/sso.amazonaws.com/eu-west-1/"
        made = aws.admin("POST", "roles/protected", account=account.id, path=path, name=name)
        assert account.iam.get_role(RoleName=name)["Role"]["Arn"] == made["arn"]
        text = f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
        for call in (
            lambda: put(account, allow("kms:Decrypt"), role=name),
            lambda: account.iam.delete_role(RoleName=name),
            lambda: account.iam.update_assume_role_policy(
                RoleName=name, PolicyDocument=json.dumps(trusting(account.root_arn))
            ),
        ):
            with refused("UnmodifiableEntity", text, 400):
                call()

    def test_a_service_linked_role_too(self, aws: Aws) -> None:
        account = aws.account()
        made = account.iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")["Role"]
        with refused("UnmodifiableEntity"):
            put(account, allow("kms:Decrypt"), role=made["RoleName"])

    def test_nobody_creates_roles_under_their_paths(self, aws: Aws) -> None:
        account = aws.account()
        for path in ("/aws-reserved/sso.amazonaws.com/", "/aws-service-role/x.amazonaws.com/"):
            with refused("ValidationError"):
                account.role("r", path=path)
