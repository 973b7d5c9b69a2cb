//! Signing in, users, tokens, links and sessions over HTTP. The sign-in page itself is in `pages`.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use kernel::{Fault, Role, Span};
use operations::access::SignedIn;
use schemars::JsonSchema;
use security::identity::{SessionInfo, TokenInfo, UserInfo};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::{Answer, Page, Paging};
use crate::caller::Caller;
use crate::endpoint::{Endpoint, Needs};
use crate::extract::{Body, Path, Query};
use crate::guard::cookie;
use crate::server::{Shared, blocking};

/// `POST /session`: a user and password, or a one-time link.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SignInBody {
    /// The user's name.
    user: Option<String>,
    /// The user's password.
    password: Option<String>,
    /// The token of a one-time link, instead of both.
    link: Option<String>,
}

/// Who is signed in.
#[derive(Serialize, JsonSchema)]
struct SessionBody {
    /// Kind, name and role.
    #[schemars(with = "Value")]
    actor: kernel::Actor,
    /// When the session ends unless it is used; absent for other credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

/// A new user.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewUserBody {
    /// Letters, digits, `.`, `_`, `-`, `@`.
    name: String,
    /// viewer, responder, operator or admin.
    #[schemars(with = "String")]
    role: Role,
    /// At least 10 characters; without it the user signs in by link.
    password: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// A new password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PasswordBody {
    /// At least 10 characters.
    password: String,
    /// Why.
    reason: Option<String>,
}

/// A new role.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RoleBody {
    /// viewer, responder, operator or admin.
    #[schemars(with = "String")]
    role: Role,
    /// Why.
    reason: Option<String>,
}

/// A reason and nothing else.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonBody {
    /// Why.
    pub(crate) reason: Option<String>,
}

/// A new token.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewTokenBody {
    /// Unique among live tokens.
    name: String,
    /// The most it may do: viewer, responder, operator or admin.
    #[schemars(with = "String")]
    role: Role,
    /// How long it is good, such as `90d`.
    #[schemars(with = "String")]
    ttl: Span,
    /// Why.
    reason: Option<String>,
}

/// A token just made.
#[derive(Serialize, JsonSchema)]
struct TokenBody {
    #[serde(flatten)]
    #[schemars(with = "Value")]
    info: TokenInfo,
    /// The token itself; shown this once.
    token: String,
}

/// A link to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewLinkBody {
    /// Whom it signs in.
    user: String,
    /// Why.
    reason: Option<String>,
}

/// A link just made.
#[derive(Serialize, JsonSchema)]
struct LinkBody {
    /// Where to go; works once.
    url: String,
    /// Until when.
    expires: String,
}

/// A user, as lists show one.
#[derive(Serialize, JsonSchema)]
struct UserBody(#[schemars(with = "Value")] UserInfo);

/// A token, as lists show one.
#[derive(Serialize, JsonSchema)]
struct TokenItem(#[schemars(with = "Value")] TokenInfo);

/// A session, as lists show one.
#[derive(Serialize, JsonSchema)]
struct SessionItem(#[schemars(with = "Value")] SessionInfo);

/// The reason of a DELETE.
#[derive(Deserialize)]
pub(crate) struct Reason {
    pub(crate) reason: Option<String>,
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    [session_endpoints(), user_endpoints(), token_endpoints()].concat()
}

fn session_endpoints() -> Vec<Endpoint> {
    let admin = Needs::Role(Role::Admin);
    vec![
        Endpoint::post("/api/mainstay/v1/session", "signIn", Needs::Public, post(sign_in))
            .about("access", "Signs in with a user and password or a one-time link; sets the session cookie.")
            .takes::<SignInBody>()
            .gives::<SessionBody>(200, "Signed in."),
        Endpoint::get("/api/mainstay/v1/session", "getSession", Needs::SignedIn, get(session))
            .about("access", "Who the caller is.")
            .gives::<SessionBody>(200, "The caller."),
        Endpoint::delete("/api/mainstay/v1/session", "signOut", Needs::SignedIn, delete(sign_out))
            .about("access", "Ends the caller's session.")
            .gives_nothing(204, "Ended."),
        Endpoint::get("/api/mainstay/v1/sessions", "listSessions", admin, get(sessions))
            .about("access", "Every live session.")
            .paged()
            .gives::<Page<SessionItem>>(200, "A page of sessions."),
        Endpoint::delete("/api/mainstay/v1/sessions/{id}", "closeSession", admin, delete(close_session))
            .about("access", "Ends a session; anyone may end their own.")
            .path_parameter("id", "The session's id, `ses_…`.")
            .query_text("reason", "Why.")
            .gives_nothing(204, "Ended."),
    ]
}

fn user_endpoints() -> Vec<Endpoint> {
    let admin = Needs::Role(Role::Admin);
    let user = |endpoint: Endpoint| endpoint.path_parameter("name", "The user's name.");
    vec![
        Endpoint::get("/api/mainstay/v1/users", "listUsers", admin, get(users))
            .about("access", "Every user.")
            .paged()
            .gives::<Page<UserBody>>(200, "A page of users."),
        Endpoint::post("/api/mainstay/v1/users", "addUser", admin, post(add_user))
            .about("access", "Adds a user.")
            .takes::<NewUserBody>()
            .gives::<UserBody>(201, "Added."),
        user(Endpoint::delete("/api/mainstay/v1/users/{name}", "removeUser", admin, delete(remove_user)))
            .about("access", "Removes a user with their sessions, tokens and links.")
            .query_text("reason", "Why.")
            .gives_nothing(204, "Removed."),
        user(Endpoint::post(
            "/api/mainstay/v1/users/{name}/password",
            "setPassword",
            admin,
            post(set_password),
        ))
        .about("access", "Sets a password; anyone may set their own.")
        .takes::<PasswordBody>()
        .gives_nothing(204, "Set."),
        user(Endpoint::post("/api/mainstay/v1/users/{name}/role", "setRole", admin, post(set_role)))
            .about("access", "Gives a user another role.")
            .takes::<RoleBody>()
            .gives::<UserBody>(200, "The user."),
        user(Endpoint::post(
            "/api/mainstay/v1/users/{name}/disable",
            "disableUser",
            admin,
            post(disable_user),
        ))
        .about("access", "Lets a user sign in no more; their tokens rest too.")
        .takes::<ReasonBody>()
        .gives::<UserBody>(200, "The user."),
        user(Endpoint::post("/api/mainstay/v1/users/{name}/enable", "enableUser", admin, post(enable_user)))
            .about("access", "Lets a user sign in again.")
            .takes::<ReasonBody>()
            .gives::<UserBody>(200, "The user."),
        Endpoint::post("/api/mainstay/v1/links", "issueLink", admin, post(issue_link))
            .about("access", "Makes a one-time sign-in link, good for ten minutes.")
            .takes::<NewLinkBody>()
            .gives::<LinkBody>(201, "The link; shown this once."),
    ]
}

fn token_endpoints() -> Vec<Endpoint> {
    let admin = Needs::Role(Role::Admin);
    vec![
        Endpoint::get("/api/mainstay/v1/tokens", "listTokens", admin, get(tokens))
            .about("access", "Every token, without its secret.")
            .paged()
            .gives::<Page<TokenItem>>(200, "A page of tokens."),
        Endpoint::post("/api/mainstay/v1/tokens", "createToken", admin, post(create_token))
            .about("access", "Makes a token.")
            .takes::<NewTokenBody>()
            .gives::<TokenBody>(201, "The token; shown this once."),
        Endpoint::delete("/api/mainstay/v1/tokens/{id}", "revokeToken", admin, delete(revoke_token))
            .about("access", "Ends a token, by id or name, and every token made with it.")
            .path_parameter("id", "The token's id, `tok_…`, or its name.")
            .query_text("reason", "Why.")
            .gives_nothing(204, "Ended."),
    ]
}

/// The answer to a sign-in: the session, and its cookie.
pub(crate) fn with_cookie(signed_in: &SignedIn, tls: bool, mut response: Response) -> Response {
    if let Ok(value) = cookie::set_session(signed_in.secret.expose(), tls).try_into() {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

async fn sign_in(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<SignInBody>,
) -> Answer<Response> {
    let (address, replaces) = (caller.address, caller.session.clone());
    let signed_in = blocking(&shared, move |ops| match (&body.user, &body.password, &body.link) {
        (Some(user), Some(password), None) => ops.sign_in(user, password, address, replaces.as_deref()),
        (None, None, Some(link)) => ops.sign_in_by_link(link, address, replaces.as_deref()),
        _ => Err(Fault::invalid("give either user and password, or link")),
    })
    .await?;
    let body =
        SessionBody { actor: signed_in.actor.clone(), expires: Some(signed_in.session.expires.to_string()) };
    Ok(with_cookie(&signed_in, caller.tls, Json(body).into_response()))
}

async fn session(State(shared): State<Shared>, caller: Caller) -> Answer<Json<SessionBody>> {
    if caller.is_anonymous() {
        return Err(Fault::unauthenticated("nobody is signed in").into());
    }
    let secret = caller.session.clone();
    let session = blocking(&shared, move |ops| Ok(secret.and_then(|secret| ops.session_of(&secret)))).await?;
    Ok(Json(SessionBody {
        actor: caller.actor,
        expires: session.map(|(_, session)| session.expires.to_string()),
    }))
}

async fn sign_out(State(shared): State<Shared>, caller: Caller) -> Answer<Response> {
    if caller.is_anonymous() {
        return Err(Fault::unauthenticated("nobody is signed in").into());
    }
    let asked = caller.asked();
    if let Some(secret) = caller.session.clone() {
        blocking(&shared, move |ops| ops.sign_out(&asked, &secret)).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(value) = cookie::clear_session(caller.tls).try_into() {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    Ok(response)
}

async fn sessions(
    State(shared): State<Shared>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<SessionItem>>> {
    let asked = caller.asked();
    let all = blocking(&shared, move |ops| ops.sessions(&asked)).await?;
    Ok(Json(paging.cut(all.into_iter().map(SessionItem).collect())?))
}

async fn close_session(
    State(shared): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    Query(reason): Query<Reason>,
) -> Answer<StatusCode> {
    let asked = caller.because(reason.reason);
    blocking(&shared, move |ops| ops.close_session(&asked, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn users(
    State(shared): State<Shared>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<UserBody>>> {
    let asked = caller.asked();
    let all = blocking(&shared, move |ops| ops.users(&asked)).await?;
    Ok(Json(paging.cut(all.into_iter().map(UserBody).collect())?))
}

async fn add_user(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<NewUserBody>,
) -> Answer<(StatusCode, Json<UserBody>)> {
    let asked = caller.because(body.reason);
    let (name, role, password) = (body.name, body.role, body.password);
    let user = blocking(&shared, move |ops| ops.add_user(&asked, &name, role, password.as_deref())).await?;
    Ok((StatusCode::CREATED, Json(UserBody(user))))
}

async fn remove_user(
    State(shared): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    Query(reason): Query<Reason>,
) -> Answer<StatusCode> {
    let asked = caller.because(reason.reason);
    blocking(&shared, move |ops| ops.remove_user(&asked, &name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_password(
    State(shared): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    Body(body): Body<PasswordBody>,
) -> Answer<StatusCode> {
    let asked = caller.because(body.reason);
    let session = caller.session;
    blocking(&shared, move |ops| ops.set_password(&asked, &name, &body.password, session.as_deref())).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_role(
    State(shared): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    Body(body): Body<RoleBody>,
) -> Answer<Json<UserBody>> {
    let asked = caller.because(body.reason);
    Ok(Json(UserBody(blocking(&shared, move |ops| ops.set_role(&asked, &name, body.role)).await?)))
}

async fn disable_user(
    shared: State<Shared>,
    caller: Caller,
    name: Path<String>,
    body: Body<ReasonBody>,
) -> Answer<Json<UserBody>> {
    set_disabled(shared, caller, name, body, true).await
}

async fn enable_user(
    shared: State<Shared>,
    caller: Caller,
    name: Path<String>,
    body: Body<ReasonBody>,
) -> Answer<Json<UserBody>> {
    set_disabled(shared, caller, name, body, false).await
}

async fn set_disabled(
    State(shared): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    Body(body): Body<ReasonBody>,
    disabled: bool,
) -> Answer<Json<UserBody>> {
    let asked = caller.because(body.reason);
    Ok(Json(UserBody(blocking(&shared, move |ops| ops.set_disabled(&asked, &name, disabled)).await?)))
}

async fn issue_link(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<NewLinkBody>,
) -> Answer<(StatusCode, Json<LinkBody>)> {
    let asked = caller.because(body.reason);
    let (secret, expires) = blocking(&shared, move |ops| ops.issue_link(&asked, &body.user)).await?;
    let url = shared.0.about.sign_in_url(secret.expose());
    Ok((StatusCode::CREATED, Json(LinkBody { url, expires: expires.to_string() })))
}

async fn tokens(
    State(shared): State<Shared>,
    caller: Caller,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<TokenItem>>> {
    let asked = caller.asked();
    let all = blocking(&shared, move |ops| ops.tokens(&asked)).await?;
    Ok(Json(paging.cut(all.into_iter().map(TokenItem).collect())?))
}

async fn create_token(
    State(shared): State<Shared>,
    caller: Caller,
    Body(body): Body<NewTokenBody>,
) -> Answer<(StatusCode, Json<TokenBody>)> {
    let asked = caller.because(body.reason);
    let made =
        blocking(&shared, move |ops| ops.create_token(&asked, &body.name, body.role, body.ttl)).await?;
    Ok((StatusCode::CREATED, Json(TokenBody { token: made.secret.expose().to_owned(), info: made.info })))
}

async fn revoke_token(
    State(shared): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    Query(reason): Query<Reason>,
) -> Answer<StatusCode> {
    let asked = caller.because(reason.reason);
    blocking(&shared, move |ops| ops.revoke_token(&asked, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
