//! `fullcmc`: a full CMC exchange (RFC 7030, section 4.3).

use super::{LabelService, Operation, OperationRequest, OperationResponse, Refusal};

/// How full CMC requests are answered.
#[derive(Debug, Clone, Default)]
pub struct FullCmcSettings {}

pub(super) async fn answer(
    _service: &LabelService,
    _request: &OperationRequest,
) -> Result<OperationResponse, Refusal> {
    Err(Refusal::NotConfigured(Operation::FullCmc))
}
