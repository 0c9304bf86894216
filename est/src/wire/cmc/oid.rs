//! The object identifiers of the controls (RFC 5272 section 6, RFC 6402 section 2), and those of CRMF.

use const_oid::ObjectIdentifier;

use crate::wire::csr::name_with_oid;

macro_rules! controls {
    ($($name:ident = $dotted:literal, $text:literal;)*) => {
        $(
            #[doc = concat!("`", $text, "`")]
            pub const $name: ObjectIdentifier = ObjectIdentifier::new_unwrap($dotted);
        )*

        const NAMES: &[(ObjectIdentifier, &str)] = &[$(($name, $text)),*];
    };
}

controls! {
    STATUS_INFO = "1.3.6.1.5.5.7.7.1", "id-cmc-statusInfo";
    IDENTIFICATION = "1.3.6.1.5.5.7.7.2", "id-cmc-identification";
    IDENTITY_PROOF = "1.3.6.1.5.5.7.7.3", "id-cmc-identityProof";
    DATA_RETURN = "1.3.6.1.5.5.7.7.4", "id-cmc-dataReturn";
    TRANSACTION_ID = "1.3.6.1.5.5.7.7.5", "id-cmc-transactionId";
    SENDER_NONCE = "1.3.6.1.5.5.7.7.6", "id-cmc-senderNonce";
    RECIPIENT_NONCE = "1.3.6.1.5.5.7.7.7", "id-cmc-recipientNonce";
    ADD_EXTENSIONS = "1.3.6.1.5.5.7.7.8", "id-cmc-addExtensions";
    ENCRYPTED_POP = "1.3.6.1.5.5.7.7.9", "id-cmc-encryptedPOP";
    DECRYPTED_POP = "1.3.6.1.5.5.7.7.10", "id-cmc-decryptedPOP";
    LRA_POP_WITNESS = "1.3.6.1.5.5.7.7.11", "id-cmc-lraPOPWitness";
    GET_CERT = "1.3.6.1.5.5.7.7.15", "id-cmc-getCert";
    GET_CRL = "1.3.6.1.5.5.7.7.16", "id-cmc-getCRL";
    REVOKE_REQUEST = "1.3.6.1.5.5.7.7.17", "id-cmc-revokeRequest";
    REG_INFO = "1.3.6.1.5.5.7.7.18", "id-cmc-regInfo";
    RESPONSE_INFO = "1.3.6.1.5.5.7.7.19", "id-cmc-responseInfo";
    QUERY_PENDING = "1.3.6.1.5.5.7.7.21", "id-cmc-queryPending";
    POP_LINK_RANDOM = "1.3.6.1.5.5.7.7.22", "id-cmc-popLinkRandom";
    POP_LINK_WITNESS = "1.3.6.1.5.5.7.7.23", "id-cmc-popLinkWitness";
    CONFIRM_CERT_ACCEPTANCE = "1.3.6.1.5.5.7.7.24", "id-cmc-confirmCertAcceptance";
    STATUS_INFO_V2 = "1.3.6.1.5.5.7.7.25", "id-cmc-statusInfoV2";
    TRUSTED_ANCHORS = "1.3.6.1.5.5.7.7.26", "id-cmc-trustedAnchors";
    AUTH_DATA = "1.3.6.1.5.5.7.7.27", "id-cmc-authData";
    BATCH_REQUESTS = "1.3.6.1.5.5.7.7.28", "id-cmc-batchRequests";
    BATCH_RESPONSES = "1.3.6.1.5.5.7.7.29", "id-cmc-batchResponses";
    PUBLISH_CERT = "1.3.6.1.5.5.7.7.30", "id-cmc-publishCert";
    MOD_CERT_TEMPLATE = "1.3.6.1.5.5.7.7.31", "id-cmc-modCertTemplate";
    CONTROL_PROCESSED = "1.3.6.1.5.5.7.7.32", "id-cmc-controlProcessed";
    POP_LINK_WITNESS_V2 = "1.3.6.1.5.5.7.7.33", "id-cmc-popLinkWitnessV2";
    IDENTITY_PROOF_V2 = "1.3.6.1.5.5.7.7.34", "id-cmc-identityProofV2";
    RA_IDENTITY_WITNESS = "1.3.6.1.5.5.7.7.35", "id-cmc-raIdentityWitness";
    CHANGE_SUBJECT_NAME = "1.3.6.1.5.5.7.7.36", "id-cmc-changeSubjectName";
    RESPONSE_BODY = "1.3.6.1.5.5.7.7.37", "id-cmc-responseBody";
    PKI_ARCHIVE_OPTIONS = "1.3.6.1.5.5.7.5.1.4", "id-regCtrl-pkiArchiveOptions";
}

/// `name (number)` for the object identifiers of CMC and those that the registry of `const-oid` knows, else the
/// number alone.
pub fn display(oid: &ObjectIdentifier) -> String {
    match NAMES.iter().find(|(known, _)| known == oid) {
        Some((_, name)) => format!("{name} ({oid})"),
        None => name_with_oid(oid),
    }
}

/// Whether this is the number of a control of RFC 5272 or RFC 6402, whoever processes it.
pub fn is_known_control(oid: &ObjectIdentifier) -> bool {
    ![CHANGE_SUBJECT_NAME, PKI_ARCHIVE_OPTIONS].contains(oid) && NAMES.iter().any(|(known, _)| known == oid)
}
