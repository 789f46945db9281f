//! The description of `/api/v1` as OpenAPI: for programs of others, and for a program that tries all that it allows.
//!
//! One list says what there is; a test holds it against the addresses that are served. Every answer that is a refusal has
//! one shape, so it is said once.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiashu_api::{
    Problem, audit, consent, export, family, mail, programme, report, site, staff, task, transfer,
    worklist,
};
use jiashu_contact::standing::Standing;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ComponentsBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Paths, Ref, RefOr, Required,
    ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use super::problem::PROBLEM;
use crate::ngo::overview::MOST as WEEKS;
use crate::ngo::worklist::MOST;

/// The name of the way in which staff show who they are.
const BEARER: &str = "staff";

/// What a request may be answered with beside what it asks for.
const REFUSALS: [(&str, &str); 9] = [
    ("400", "Not what is asked for here: the title says what is wrong"),
    ("401", "Not the token of a member of staff"),
    ("403", "Not for this role; or not yet, or not any more"),
    ("404", "No such case, site or member of staff, or not one of yours"),
    ("409", "Something else was changed meanwhile: look again"),
    ("413", "Too long"),
    ("429", "Too much at once: Retry-After says in how many seconds it may be tried again"),
    ("503", "Not just now: Retry-After says when"),
    ("507", "There is no room for more"),
];

static DOCUMENT: LazyLock<String> = LazyLock::new(|| described().to_json().unwrap_or_default());

/// It is no secret: without a token.
pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

/// All that may be asked for.
fn operations() -> Vec<Asked> {
    let case = || path("case", text("^[^/]{1,200}$"), "The programme's own code for the family");
    let member = || path("member", whole(1, u64::from(u32::MAX)), "The number in the family");
    let yes = || text("^(yes|no)$");
    vec![
        get("/api/v1/worklist", "Families, those first that need somebody most")
            .with(query("limit", whole(0, MOST as u64), "So many at most"))
            .with(query("after", whole(0, MOST as u64), "So many before them are passed over"))
            .with(query("site", text("^[A-Za-z0-9._-]{1,32}$"), "Those of this site alone"))
            .with(query(
                "standing",
                text(&format!("^({})$", Standing::ALL.map(Standing::name).join("|"))),
                "Those that stand so alone",
            ))
            .gives::<worklist::Worklist>(),
        get("/api/v1/families/{case}", "All that staff see of a family; it is noted who looked")
            .with(case())
            .gives::<family::Case>(),
        post("/api/v1/families/{case}/erasure", "Have a family deleted")
            .with(case())
            .takes::<family::Erase>()
            .gives::<family::Leaves>(),
        delete("/api/v1/families/{case}/erasure", "Keep a family that was to be deleted")
            .with(case()),
        post("/api/v1/families/{case}/pause", "Expect nothing of a family for a while")
            .with(case())
            .takes::<family::Pause>(),
        delete("/api/v1/families/{case}/pause", "Expect again what is planned, from today on")
            .with(case()),
        post("/api/v1/families/{case}/plan", "Propose when a family could hear each other")
            .with(case())
            .takes::<family::Plan>(),
        put("/api/v1/families/{case}/suspensions/{member}", "Keep from a member what is written")
            .with(case())
            .with(member())
            .takes::<family::Suspend>(),
        delete("/api/v1/families/{case}/suspensions/{member}", "Let a member have it again")
            .with(case())
            .with(member()),
        post("/api/v1/families/{case}/visits", "Note that somebody visited or rang a family")
            .with(case())
            .takes::<family::Visit>(),
        put("/api/v1/families/{case}/worker", "Say whose a family is")
            .with(case())
            .takes::<staff::Assign>(),
        put("/api/v1/families/{case}/site", "Say at which site a family is")
            .with(case())
            .takes::<family::Move>(),
        post("/api/v1/families/{case}/transfer", "Offer a family to another programme")
            .with(case())
            .takes::<transfer::Offer>()
            .gives::<transfer::Offered>(),
        delete("/api/v1/families/{case}/transfer", "Take an offer back").with(case()),
        get("/api/v1/transfers", "Families that are offered, to the programme and by it")
            .gives::<transfer::Transfers>(),
        post("/api/v1/transfers/{offer}", "Take a family that another programme offers")
            .with(path("offer", text("^[0-9a-f]{16}$"), "The offer, as it is listed"))
            .takes::<transfer::Accept>(),
        post("/api/v1/families/{case}/tasks/done", "Say that somebody has seen to a task")
            .with(case())
            .takes::<task::Done>(),
        get("/api/v1/report", "What came of contact in a week or month")
            .with(query(
                "week",
                text(WEEK),
                "Without it and without a month: the last that has closed",
            ))
            .with(query("month", text(MONTH), "A month, 2026-11"))
            .with(query("by", text("^(programme|site|corridor)$"), "Put together by what"))
            .gives::<report::Report>(),
        get("/api/v1/programme", "How families do over some weeks, all or some of them")
            .with(query("weeks", whole(1, WEEKS as u64), "How many; without it 12"))
            .with(query("until", text(WEEK), "The last; without it: the last that has closed"))
            .with(query("site", text(FILTER), "Of those at that site"))
            .with(query(
                "worker",
                whole(1, u64::from(u32::MAX)),
                "Of those of that member of staff",
            ))
            .with(query("corridor", text(FILTER), "From where to where, Europe/Rome>Asia/Shanghai"))
            .with(query("age", text(FILTER), "Children of those years, 6-8"))
            .with(query("care", text(FILTER), "Of those whose children these look after"))
            .with(query("standing", text(FILTER), "Children who stand so"))
            .gives::<programme::Programme>(),
        get("/api/v1/exports/family-week", "A row for each child and week")
            .of_a_span()
            .gives_file(),
        get("/api/v1/exports/contact-events", "A row for each contact").of_a_span().gives_file(),
        get("/api/v1/exports/site-period", "A row for each site and week or month")
            .of_a_span()
            .with(query("provisional", yes(), "With periods that have not closed"))
            .gives_file(),
        get("/api/v1/exports/dhis2", "A data value set for DHIS2, or what would be in it")
            .of_a_span()
            .with(query("provisional", yes(), "With periods that have not closed"))
            .with(query("format", text("^(json|csv)$"), "In which form"))
            .with(query(
                "prefix",
                text("^[A-Za-z0-9-]*$"),
                "What codes of data elements begin with",
            ))
            .with(query("dry_run", yes(), "Only tell what would be in it"))
            .gives_any()
            .gives_file(),
        get("/api/v1/exports/codebook/{name}", "What the columns of a file mean")
            .with(path("name", text("^[a-z0-9-]{1,40}$"), "Of the file"))
            .gives::<export::Codebook>(),
        get("/api/v1/thresholds", "Where one standing ends and the next begins")
            .gives::<report::Thresholds>(),
        put("/api/v1/thresholds", "Put others in force").takes::<report::Thresholds>(),
        get("/api/v1/consent-settings", "What holds of consent where nobody says otherwise")
            .gives::<consent::ConsentSettings>(),
        put(
            "/api/v1/consent-settings",
            "Let something else hold, of what is recorded from then on",
        )
        .takes::<consent::ConsentSettings>(),
        get("/api/v1/staff", "Who works for the programme").gives_all::<staff::Member>(),
        post("/api/v1/staff", "Let somebody new in, by a link whose secret the relay never sees")
            .takes::<staff::New>()
            .gives::<staff::Invited>()
            .created(),
        put("/api/v1/staff/me", "Say of oneself how one is called and written to")
            .takes::<staff::Me>(),
        post("/api/v1/staff/me/sign-in-link", "A link by which one signs in with a browser, once")
            .gives::<staff::SignInLink>()
            .created(),
        post("/api/v1/staff/{number}/sign-in-link", "The same for somebody else, to hand it over")
            .with(path("number", whole(1, u64::from(u32::MAX)), "Of a member of staff"))
            .gives::<staff::SignInLink>()
            .created(),
        delete("/api/v1/staff/{number}", "End somebody's access at once").with(path(
            "number",
            whole(1, u64::from(u32::MAX)),
            "Of a member of staff",
        )),
        get("/api/v1/tasks", "What is to be done for families").gives_all::<task::Task>(),
        get("/api/v1/mail", "E-mails that did not arrive").gives_all::<mail::Undelivered>(),
        get("/api/v1/sites", "The places of the programme").gives_all::<site::Site>(),
        post("/api/v1/sites", "Add one, or say something else of one").takes::<site::Site>(),
        get("/api/v1/audit", "Who asked for what")
            .with(query("after", whole(0, u64::MAX), "The number of an entry"))
            .gives::<audit::Log>(),
        get("/api/v1/openapi.json", "This document").for_all(),
    ]
}

/// A week, 2026W48.
const WEEK: &str = "^[0-9]{4}W(0?[1-9]|[1-4][0-9]|5[0-3])$";

/// A month, 2026-11 or 202611.
const MONTH: &str = "^[0-9]{4}-?(0[1-9]|1[0-2])$";

/// What a filter says.
const FILTER: &str = "^.{1,100}$";

/// Either.
const PERIOD: &str = "^[0-9]{4}(W(0?[1-9]|[1-4][0-9]|5[0-3])|-?(0[1-9]|1[0-2]))$";

type Named = Vec<(String, RefOr<Schema>)>;

/// Something that may be asked for.
struct Asked {
    method: HttpMethod,
    path: &'static str,
    operation: OperationBuilder,
    /// Its answer, if it has one beside that it was done.
    gives: Option<RefOr<Schema>>,
    status: &'static str,
    /// Whether its answer is, or may be, a file of CSV.
    is_file: bool,
    schemas: Named,
    is_for_all: bool,
}

fn asked(method: HttpMethod, path: &'static str, says: &str) -> Asked {
    let operation = OperationBuilder::new().summary(Some(says));
    let (gives, schemas) = (None, Vec::new());
    Asked {
        method,
        path,
        operation,
        gives,
        status: "200",
        is_file: false,
        schemas,
        is_for_all: false,
    }
}

fn get(path: &'static str, says: &str) -> Asked {
    asked(HttpMethod::Get, path, says)
}

fn post(path: &'static str, says: &str) -> Asked {
    asked(HttpMethod::Post, path, says)
}

fn put(path: &'static str, says: &str) -> Asked {
    asked(HttpMethod::Put, path, says)
}

fn delete(path: &'static str, says: &str) -> Asked {
    asked(HttpMethod::Delete, path, says)
}

impl Asked {
    fn with(mut self, parameter: ParameterBuilder) -> Self {
        self.operation = self.operation.parameter(parameter);
        self
    }

    fn takes<T: ToSchema>(mut self) -> Self {
        let content = ContentBuilder::new().schema(Some(self.named::<T>())).build();
        let body = RequestBodyBuilder::new().content(JSON, content).required(Some(Required::True));
        self.operation = self.operation.request_body(Some(body.build()));
        self
    }

    fn gives<T: ToSchema>(mut self) -> Self {
        self.gives = Some(self.named::<T>());
        self
    }

    fn gives_all<T: ToSchema>(mut self) -> Self {
        let each = self.named::<T>();
        self.gives = Some(Schema::Array(ArrayBuilder::new().items(each).build()).into());
        self
    }

    fn created(self) -> Self {
        Self { status: "201", ..self }
    }

    /// Of one week or month, or of all from one to another.
    fn of_a_span(self) -> Self {
        let week = query("week", text(PERIOD), "Without it: the last that has closed");
        let month = query("month", text(PERIOD), "A month, 2026-11");
        let from = query("from", text(PERIOD), "The first week or month");
        self.with(week).with(month).with(from).with(query("until", text(PERIOD), "The last"))
    }

    fn gives_file(self) -> Self {
        Self { is_file: true, ..self }
    }

    /// An object that another describes.
    fn gives_any(self) -> Self {
        Self { gives: Some(Schema::Object(ObjectBuilder::new().build()).into()), ..self }
    }

    /// Without a token.
    fn for_all(self) -> Self {
        Self { is_for_all: true, ..self.gives_any() }
    }

    /// By its name, with all that it is made of.
    fn named<T: ToSchema>(&mut self) -> RefOr<Schema> {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        Ref::from_schema_name(T::name()).into()
    }

    fn described(self) -> (HttpMethod, &'static str, OperationBuilder, Named) {
        let Self { method, path, mut operation, gives, status, is_file, schemas, is_for_all } =
            self;
        let mut answer = ResponseBuilder::new().description("What was asked for");
        let is_given = gives.is_some() || is_file;
        if let Some(schema) = gives {
            answer = answer.content(JSON, ContentBuilder::new().schema(Some(schema)).build());
        }
        if is_file {
            let rows = Schema::Object(ObjectBuilder::new().schema_type(Type::String).build());
            answer = answer.content("text/csv", ContentBuilder::new().schema(Some(rows)).build());
        }
        operation = if is_given {
            operation.response(status, answer)
        } else {
            operation.response("204", ResponseBuilder::new().description("It is done"))
        };
        if is_for_all {
            return (method, path, operation, schemas);
        }
        for (status, says) in REFUSALS {
            let problem = Ref::from_schema_name(Problem::name());
            let content = ContentBuilder::new().schema(Some(problem)).build();
            let refusal = ResponseBuilder::new().description(says).content(PROBLEM, content);
            operation = operation.response(status, refusal);
        }
        let none: [&str; 0] = [];
        (method, path, operation.security(SecurityRequirement::new(BEARER, none)), schemas)
    }
}

const JSON: &str = "application/json";

fn parameter(name: &str, schema: ObjectBuilder, says: &str) -> ParameterBuilder {
    let schema = Schema::Object(schema.build());
    ParameterBuilder::new().name(name).schema(Some(schema)).description(Some(says))
}

fn query(name: &str, schema: ObjectBuilder, says: &str) -> ParameterBuilder {
    parameter(name, schema, says).parameter_in(ParameterIn::Query).required(Required::False)
}

fn path(name: &str, schema: ObjectBuilder, says: &str) -> ParameterBuilder {
    parameter(name, schema, says).parameter_in(ParameterIn::Path).required(Required::True)
}

fn text(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))
}

fn whole(least: u64, most: u64) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(least)).maximum(Some(most))
}

fn described() -> OpenApi {
    let mut paths = Paths::new();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
        "The token of a member of staff: 28 bytes in base64url, as jiashu ngo setup keeps it",
    ));
    let mut components = ComponentsBuilder::new()
        .schema(Problem::name(), Problem::schema())
        .security_scheme(BEARER, SecurityScheme::Http(scheme.build()));
    for asked in operations() {
        let (method, path, operation, schemas) = asked.described();
        paths.add_path_operation(path, vec![method], operation);
        for (name, schema) in schemas {
            components = components.schema(name, schema);
        }
    }
    let info = InfoBuilder::new()
        .title("Jiashu for staff")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Staff see case codes, roles, zones, counts and times; never a name, and never what was said.",
        ));
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components.build())).build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    /// Method and path of each route in that source: `.route("/api/v1/...", get(a).post(b))`.
    fn routes(source: &str, found: &mut BTreeSet<(String, String)>) {
        let calls = source.split(".route(").skip(1);
        for call in calls {
            let Some((_, rest)) = call.split_once("\"/api/v1") else { continue };
            let (path, rest) = rest.split_once('"').unwrap();
            let mut open = 1;
            let methods = rest.split_inclusive(['(', ')']).take_while(|part| {
                let stays = open > 0;
                open += if part.ends_with('(') { 1 } else { -1 };
                stays
            });
            for part in methods {
                for method in ["get", "post", "put", "delete", "patch"] {
                    let word = part.trim_end_matches('(');
                    if part.ends_with('(')
                        && word.trim_start_matches([',', '.', ' ', '\n']) == method
                    {
                        found.insert((method.to_owned(), format!("/api/v1{path}")));
                    }
                }
            }
        }
    }

    fn sources(folder: &Path, found: &mut BTreeSet<(String, String)>) {
        for file in std::fs::read_dir(folder).unwrap().flatten() {
            let path = file.path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs")
                && !path.ends_with("openapi.rs")
            {
                routes(&std::fs::read_to_string(path).unwrap(), found);
            }
        }
    }

    #[test]
    fn what_is_described_is_what_is_served() {
        let mut served = BTreeSet::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/listener"), &mut served);
        let document: Value = serde_json::from_str(&DOCUMENT).unwrap();
        let mut described = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            described.extend(
                methods.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())),
            );
        }

        assert!(served.len() >= 19, "{served:?}");
        assert_eq!(described, served, "each route of the API stands in `operations`");
    }

    #[test]
    fn one_name_means_one_shape_and_each_that_is_named_is_there() {
        let mut all: Named = vec![(Problem::name().into_owned(), Problem::schema())];
        all.extend(operations().into_iter().flat_map(|asked| asked.schemas));
        for (name, schema) in &all {
            assert!(
                all.iter().all(|(other, with)| other != name || with == schema),
                "{name} is two things"
            );
        }

        let names: BTreeSet<_> = all.iter().map(|(name, _)| name.as_str()).collect();
        for part in DOCUMENT.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(names.contains(name), "{name} is nowhere described");
        }
    }

    #[test]
    fn all_but_the_document_itself_asks_for_a_token_and_may_be_refused() {
        let document: Value = serde_json::from_str(&DOCUMENT).unwrap();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for operation in methods.as_object().unwrap().values() {
                let is_guarded = operation["security"][0].get(BEARER).is_some();
                assert_eq!(is_guarded, path != "/api/v1/openapi.json", "{path}");
                let refused = operation["responses"]["401"]["content"].get(PROBLEM);
                assert_eq!(refused.is_some(), is_guarded, "{path}");
            }
        }
    }
}
