//! `serverkeygen`: key and certificate made by the server (RFC 7030, section 4.4).

use super::{LabelService, Operation, OperationRequest, OperationResponse, Refusal};

/// How keys are made and returned.
#[derive(Debug, Clone, Default)]
pub struct ServerKeyGenerationSettings {}

pub(super) async fn answer(
    _service: &LabelService,
    _request: &OperationRequest,
) -> Result<OperationResponse, Refusal> {
    Err(Refusal::NotConfigured(Operation::ServerKeyGen))
}
