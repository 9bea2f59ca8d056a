//! From AWS' error codes to whose turn it is: one table (D§6.3).

use std::error::Error;

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sharedkey_engine::problem::{Class, Reading};

use crate::text;

/// A failed call: the class decides what is done, the code and the message are told, the family is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) class: Class,
    pub(crate) code: String,
    pub(crate) message: String,
    /// A closed list, fit for a metric's label.
    pub(crate) family: &'static str,
}

struct Row {
    class: Class,
    family: &'static str,
    codes: &'static [&'static str],
}

const TABLE: &[Row] = &[
    Row {
        class: Class::Transient,
        family: "throttled",
        codes: &[
            "PriorRequestNotComplete",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "SlowDown",
            "ThrottledException",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        ],
    },
    Row {
        class: Class::Transient,
        family: "server",
        codes: &[
            "DependencyTimeoutException",
            "IDPCommunicationError",
            "InternalError",
            "InternalFailure",
            "InternalServerError",
            "InternalServiceError",
            "KMSInternalException",
            "KeyUnavailableException",
            "RequestTimeout",
            "RequestTimeoutException",
            "ServiceFailure",
            "ServiceUnavailable",
            "ServiceUnavailableException",
        ],
    },
    // Somebody else writes the same thing; IAM says "wait a few minutes" (D§4.7).
    Row {
        class: Class::Transient,
        family: "conflict",
        codes: &["ConcurrentModification", "ConflictException", "DeleteConflict", "EntityTemporarilyUnmodifiable"],
    },
    // The session is dropped with the answer, so the next try has a new one.
    Row {
        class: Class::Transient,
        family: "credentials",
        codes: &["ExpiredToken", "ExpiredTokenException", "RequestExpired"],
    },
    Row {
        class: Class::OperatorUnauthorised,
        family: "credentials",
        codes: &[
            "IDPRejectedClaim",
            "IncompleteSignature",
            "InvalidClientTokenId",
            "InvalidIdentityToken",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ],
    },
    // KMS says AccessDeniedException, IAM and STS AccessDenied; neither is modelled (D§6.2).
    Row {
        class: Class::OperatorUnauthorised,
        family: "denied",
        codes: &["AccessDenied", "AccessDeniedException", "NotAuthorized", "OptInRequired", "RegionDisabledException"],
    },
    Row { class: Class::UserActionNeeded, family: "not_found", codes: &NOT_FOUND },
    Row { class: Class::UserActionNeeded, family: "limit", codes: &["LimitExceeded", "LimitExceededException"] },
    Row {
        class: Class::UserActionNeeded,
        family: "state",
        codes: &[
            "DecryptionFailure",
            "DisabledException",
            "EncryptionFailure",
            // What Secrets Manager says of a secret that is scheduled for deletion, above all (D§5.5).
            "InvalidRequestException",
            "KMSInvalidStateException",
            "PreconditionNotMetException",
            "UnmodifiableEntity",
        ],
    },
    Row {
        class: Class::UserActionNeeded,
        family: "invalid",
        codes: &[
            "EntityAlreadyExists",
            "InvalidArnException",
            "InvalidInput",
            "InvalidNextTokenException",
            "InvalidParameterException",
            "InvalidParameterValue",
            "MalformedPolicyDocument",
            "MalformedPolicyDocumentException",
            "PolicyNotAttachable",
            "PublicPolicyException",
            "ResourceExistsException",
            "UnsupportedOperationException",
            "ValidationError",
            "ValidationException",
        ],
    },
];

/// What nobody answered has a code of ours.
const TIMEOUT: &str = "Timeout";
const CONNECTION_FAILED: &str = "ConnectionFailed";

/// What KMS, IAM and Secrets Manager say of what is not there.
const NOT_FOUND: [&str; 3] = ["NoSuchEntity", "NotFoundException", "ResourceNotFoundException"];

/// Class and family of a code; of the HTTP status where the code is not in the table.
fn of_code(code: &str, status: u16) -> (Class, &'static str) {
    if let Some(row) = TABLE.iter().find(|row| row.codes.contains(&code)) {
        return (row.class, row.family);
    }
    match status {
        429 => (Class::Transient, "throttled"),
        500.. => (Class::Transient, "server"),
        401 | 403 => (Class::OperatorUnauthorised, "denied"),
        _ => (Class::UserActionNeeded, "other"),
    }
}

/// Whether the answer says that the session itself is no good any more.
pub(crate) fn ends_session(code: &str) -> bool {
    const CODES: [&str; 5] = [
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
    ];
    CODES.contains(&code)
}

/// Whether AWS turned a call away before it did anything of it.
pub(crate) fn is_turned_away(code: &str) -> bool {
    TABLE.iter().any(|row| row.family == "throttled" && row.codes.contains(&code))
}

/// Whether a message of AWS may quote what was sent or answered: it repeats a parameter that it does not take, and what cannot be read is
/// quoted in part. Codes that are not in the table may mean anything.
pub(crate) fn may_quote(code: &str) -> bool {
    const OWN: [&str; 2] = [TIMEOUT, CONNECTION_FAILED];
    let row = TABLE.iter().find(|row| row.codes.contains(&code));
    row.map_or(!OWN.contains(&code), |row| row.family == "invalid")
}

/// For things that may not be there: their absence is an answer, not a failure.
pub(crate) fn or_absent<T>(reading: Reading<T>) -> Reading<Option<T>> {
    match reading {
        Ok(value) => Ok(Some(value)),
        Err(failure) if NOT_FOUND.contains(&failure.code.as_str()) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What came of a call that failed.
pub(crate) fn classify<E>(error: &SdkError<E, HttpResponse>) -> Answer
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let unanswered = |family, code: &str| Answer {
        class: Class::Transient,
        code: code.to_owned(),
        message: text::chain(error),
        family,
    };
    match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().map_or_else(|| format!("Http{status}"), str::to_owned);
            let (class, family) = of_code(&code, status);
            let message = text::tidy(service.err().message().unwrap_or_default());
            Answer { class, code, message, family }
        }
        SdkError::TimeoutError(_) => unanswered("timeout", TIMEOUT),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => unanswered("timeout", TIMEOUT),
        SdkError::DispatchFailure(_) => unanswered("connection", CONNECTION_FAILED),
        SdkError::ResponseError(_) => unanswered("connection", "UnreadableAnswer"),
        // A request that could not even be built: a malformed endpoint, an illegal parameter.
        _ => Answer { class: Class::UserActionNeeded, ..unanswered("invalid", "InvalidRequest") },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_have_the_class_of_the_domain_reference() {
        for (code, class) in [
            ("ThrottlingException", Class::Transient),
            ("Throttling", Class::Transient),
            ("KMSInternalException", Class::Transient),
            ("ConcurrentModification", Class::Transient),
            ("LimitExceededException", Class::UserActionNeeded),
            ("LimitExceeded", Class::UserActionNeeded),
            ("MalformedPolicyDocumentException", Class::UserActionNeeded),
            ("UnmodifiableEntity", Class::UserActionNeeded),
            ("InvalidRequestException", Class::UserActionNeeded),
            ("EncryptionFailure", Class::UserActionNeeded),
            ("PublicPolicyException", Class::UserActionNeeded),
            ("InternalServiceError", Class::Transient),
            ("DisabledException", Class::UserActionNeeded),
            ("AccessDenied", Class::OperatorUnauthorised),
            ("AccessDeniedException", Class::OperatorUnauthorised),
            ("RegionDisabledException", Class::OperatorUnauthorised),
        ] {
            assert_eq!(of_code(code, 400).0, class, "{code}");
        }
    }

    #[test]
    fn unknown_codes_have_the_class_of_their_status() {
        for (status, class) in [
            (503, Class::Transient),
            (429, Class::Transient),
            (403, Class::OperatorUnauthorised),
            (400, Class::UserActionNeeded),
        ] {
            assert_eq!(of_code("SomethingNew", status).0, class, "{status}");
        }
    }

    #[test]
    fn what_may_quote_a_value_is_all_that_is_not_known_to_speak_of_something_else() {
        for (code, quotes) in [
            ("ValidationException", true),
            ("InvalidParameterException", true),
            ("SerializationException", true),
            ("Http400", true),
            ("UnreadableAnswer", true),
            ("AccessDeniedException", false),
            ("EncryptionFailure", false),
            ("LimitExceededException", false),
            ("ConnectionFailed", false),
        ] {
            assert_eq!(may_quote(code), quotes, "{code}");
        }
    }

    #[test]
    fn a_code_stands_in_one_row() {
        let mut seen = BTreeSet::new();
        for code in TABLE.iter().flat_map(|row| row.codes) {
            assert!(seen.insert(code), "{code} stands twice");
        }
    }
}
