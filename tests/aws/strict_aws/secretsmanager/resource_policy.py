"""The secret's resource policy: put, read, deleted, validated (D§5.7)."""

from dataclasses import dataclass

from ..errors import AwsError
from ..policy.document import Statement
from ..policy.grammar import SECRET_POLICY, Malformed, parse
from ..policy.propagation import propagated
from ..policy.stored import InvalidPrincipal, StoredPolicy
from .authorize import authorize, authorize_by_identity, decide
from .job import Job
from .model import Secret
from .public_policy import is_public
from .request_context import context_of


@dataclass(frozen=True)
class SecretPolicy:
    text: str
    stored: StoredPolicy

    @property
    def statements(self) -> tuple[Statement, ...]:
        return self.stored.statements

    def read(self) -> str:
        """The text as it was put (D§4.3), unless a role or user in it is gone: that is read back as its id (D§1.2)."""
        return self.stored.render() if self.stored.orphaned else self.text


def put_resource_policy(job: Job) -> dict:
    secret = job.secret
    policy = _accept(job)
    if job.params.get("BlockPublicPolicy") and is_public(policy.statements):
        raise AwsError(
            "PublicPolicyException",
            "The BlockPublicPolicy parameter is set to true, and the resource policy did not prevent broad access to "
            "the secret.",
        )
    secret.policy = policy
    return {"ARN": secret.arn, "Name": secret.name}


def get_resource_policy(job: Job) -> dict:
    secret = job.seen
    answer = {"ARN": secret.arn, "Name": secret.name}
    return answer | {"ResourcePolicy": secret.policy.read()} if secret.policy else answer


def delete_resource_policy(job: Job) -> dict:
    job.secret.policy = None
    return {"ARN": job.secret.arn, "Name": job.secret.name}


def validate_resource_policy(job: Job) -> dict:
    """The three checks that AWS names. The names under which it reports them are not documented; these are ours."""
    if job.found is None:
        for action in ("ValidateResourcePolicy", "PutResourcePolicy"):
            authorize_by_identity(job.world, job.call, action, "*")
    else:
        authorize(job.world, job.call, job.secret, "PutResourcePolicy")
    policy = _accept(job)
    errors = []
    if is_public(policy.statements):
        errors.append(("PUBLIC_POLICY", "This resource policy grants broad access to your secret."))
    if job.found is not None and _locks_out(job, job.secret, policy):
        errors.append(("CALLER_LOCKOUT", "This resource policy would lock you out of your secret."))
    return {
        "PolicyValidationPassed": not errors,
        "ValidationErrors": [{"CheckName": name, "ErrorMessage": message} for name, message in errors],
    }


def _accept(job: Job) -> SecretPolicy:
    text = job.params["ResourcePolicy"]
    try:
        document = parse(text, SECRET_POLICY)
        stored = StoredPolicy.pin(job.world, job.call.partition, document, propagated(job.world))
    except Malformed as problem:
        raise _malformed(str(problem)) from problem
    except InvalidPrincipal as problem:
        # No hint which principal it was.
        raise _malformed("This resource policy contains an unsupported principal.") from problem
    return SecretPolicy(text, stored)


def _locks_out(job: Job, secret: Secret, policy: SecretPolicy) -> bool:
    proposed = secret.snapshot()
    proposed.policy = policy
    try:
        decide(job.caller, proposed, "PutResourcePolicy", context_of(job.world, job.call, proposed))
    except AwsError:
        return True
    return False


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicyDocumentException", message)
