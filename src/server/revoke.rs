//! The revocation endpoint (RFC 7009).

use super::calls::{MAX_CONFLICT_RETRIES, Outcome};
use super::{AuthorizationServer, EventSubject};
use crate::audit::{Endpoint, EventKind};
use crate::error::Refusal;
use crate::flow::revoke;
use crate::http::{Request, Response};
use crate::store::Tombstone;

impl AuthorizationServer {
    /// Answers a revocation request (RFC 7009).
    pub async fn revoke(&self, request: &Request) -> Response {
        let flow = match revoke::parse(request, &self.facts()) {
            Ok(flow) => flow,
            Err(refusal) => return self.refuse_unread(refusal, Endpoint::Revocation, request),
        };
        let (client, evidence) = (flow.client_id().clone(), flow.evidence());
        match self.revoke_token(flow, request).await {
            Ok(()) => Response::secret_json(200, b"{}".to_vec()),
            Err(refusal) => self.refuse_client(refusal, Endpoint::Revocation, request, (&client, evidence)),
        }
    }

    async fn revoke_token(&self, flow: revoke::AwaitClient, request: &Request) -> Result<(), Refusal> {
        let flow = self.authenticate(request, flow).await?;
        let claims = self.own_claims(flow.unverified()).await?;
        let flow = flow.with_claims(claims);
        let Some(id) = flow.grant_id() else { return flow.answer_unrecorded() };
        let mut races = 0;
        loop {
            let record = self.load(id).await?;
            let tombstone = match flow.revoke(record, &self.facts()) {
                revoke::Decision::Nothing => return Ok(()),
                revoke::Decision::Refuse(refusal) => return Err(refusal),
                revoke::Decision::End(tombstone) => tombstone,
                revoke::Decision::Commit(write) => match self.commit(&write).await {
                    Outcome::Committed(_) => break,
                    Outcome::Conflict if races < MAX_CONFLICT_RETRIES => {
                        races += 1;
                        continue;
                    }
                    // RFC 7009 section 2.1 allows ending the whole grant with an access token, so a client
                    // cannot keep a token by refreshing in a loop.
                    Outcome::Conflict => Tombstone::of(write.next().grant().clone(), self.now()),
                    Outcome::Failed(fault) | Outcome::Unknown(fault) => return Err(fault.into()),
                },
            };
            let _ended = self.end(&tombstone).await?;
            break;
        }
        let about = EventSubject::client(flow.client().id()).grant(id).peer(request.peer);
        self.audit(EventKind::Revoked, Endpoint::Revocation, about);
        Ok(())
    }
}
