//! Where families go, over HTTP.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post, put};
use jiashu_api::family::Move;
use jiashu_api::transfer::{Accept, Offer};

use super::{json, wish};
use crate::listener::problem::No;
use crate::listener::routes::Door;
use crate::ngo::staff::Staff;
use crate::ngo::transfer;

/// Their addresses.
pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/api/v1/families/{case}/site", put(to_site))
        .route("/api/v1/families/{case}/transfer", post(to_programme).delete(take_back))
        .route("/api/v1/transfers", get(list))
        .route("/api/v1/transfers/{offer}", post(accept))
}

async fn to_site(
    State(door): State<Door>,
    staff: Staff,
    Path(case): Path<String>,
    body: Body,
) -> Result<StatusCode, No> {
    let Move { site } = wish(&door.relay, body).await?;
    transfer::to_site(&door.relay, &staff, &case, &site).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn to_programme(
    State(door): State<Door>,
    staff: Staff,
    Path(case): Path<String>,
    body: Body,
) -> Result<Response, No> {
    let offer: Offer = wish(&door.relay, body).await?;
    Ok(json(&transfer::to_programme(&door.relay, &staff, &case, &offer).await?))
}

async fn take_back(
    State(door): State<Door>,
    staff: Staff,
    Path(case): Path<String>,
) -> Result<StatusCode, No> {
    transfer::back(&door.relay, &staff, &case).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list(State(door): State<Door>, staff: Staff) -> Result<Response, No> {
    Ok(json(&transfer::list(&door.relay, &staff).await?))
}

async fn accept(
    State(door): State<Door>,
    staff: Staff,
    Path(offer): Path<String>,
    body: Body,
) -> Result<StatusCode, No> {
    let taken: Accept = wish(&door.relay, body).await?;
    transfer::take(&door.relay, &staff, &offer, taken).await?;
    Ok(StatusCode::NO_CONTENT)
}
