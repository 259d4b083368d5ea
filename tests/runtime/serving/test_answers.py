"""What the server answers, route by route, asked in this process."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_spec_validator import validate as validate_openapi
from prometheus_client.parser import text_string_to_metric_families
from sklearn.linear_model import Ridge
from werkzeug.datastructures import Headers

from mlops_config.alerting import series
from mlops_config.errors import IntegrityError, UsageError
from mlops_config.runtime.model.package import ModelPackage
from mlops_config.runtime.serving.limits import Limits
from tests.runtime.serving.scenes import (
    COMMIT,
    DIGEST,
    JOB,
    ROW,
    VERSION,
    Client,
    Reply,
    app,
    asked,
    exchange,
    inference,
    monitoring,
    package,
    package_of,
    table_schema,
)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with asked(app(limits=Limits(max_body_bytes=200_000, max_rows=50))) as found:
        yield found


def test_every_prediction_says_what_made_it(client: Client) -> None:
    reply = client.post("/predict", {"rows": [ROW, {**ROW, "distance_km": 100}]})
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert (reply.json["model_version"], reply.json["config_digest"]) == (VERSION, DIGEST)
    first, second = reply.json["predictions"]
    number = int(first["prediction_id"].removeprefix(f"{JOB}-"))
    assert second["prediction_id"] == f"{JOB}-{number + 1}"
    expected = package().pipeline.predict(pd.DataFrame([ROW, {**ROW, "distance_km": 100}]))
    assert [first["prediction"], second["prediction"]] == pytest.approx(expected.tolist(), rel=1e-12)


def test_no_prediction_id_is_given_twice(client: Client) -> None:
    replies = client.post_all("/predict", [{"rows": [ROW] * 3}] * 20)
    ids = [one["prediction_id"] for reply in replies for one in reply.json["predictions"]]
    assert len(set(ids)) == 60


def test_fields_that_are_no_column_are_named_in_the_answer(client: Client) -> None:
    assert client.post("/predict", {"rows": [{**ROW, "colour": 1}]}).json["ignored_fields"] == ["colour"]
    assert "ignored_fields" not in client.post("/predict", {"rows": [ROW]}).json


def test_a_bad_row_does_not_harm_its_neighbours(client: Client) -> None:
    bodies = [{"rows": [ROW]}, {"rows": [{**ROW, "weekday": 9}]}, {"rows": [ROW]}]
    replies = client.post_all("/predict", bodies)
    assert [reply.status for reply in replies] == [200, 422, 200]
    problem = replies[1]
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json["status"] == 422
    assert problem.json["errors"] == [{"detail": "must be at most 6", "row": 0, "field": "weekday"}]


def test_mlflow_forms_are_answered_as_mlflow_does(client: Client) -> None:
    split = {"dataframe_split": {"columns": [*ROW], "data": [[*ROW.values()]]}}
    for body in (split, {"dataframe_records": [ROW]}, {"instances": [ROW]}):
        answer = client.post("/invocations", body).json
        assert [type(value) for value in answer["predictions"]] == [float]
        assert [one.startswith(JOB) for one in answer["prediction_ids"]] == [True]
        assert (answer["model_version"], answer["config_digest"]) == (VERSION, DIGEST)


def test_csv_is_answered_as_the_caller_accepts(client: Client) -> None:
    body = f"{','.join(ROW)}\n{','.join(str(value) for value in ROW.values())}\n".encode()
    as_json = client.post("/invocations", body, "text/csv; charset=utf-8")
    assert as_json.json["predictions"][0]["prediction"] == pytest.approx(16.5, abs=5)
    as_csv = client.post("/invocations", body, "text/csv", accept="text/csv")
    assert as_csv.headers["content-type"].startswith("text/csv")
    header, line = as_csv.body.decode().split()
    assert header == "prediction_id,prediction"
    assert line.startswith(f"{JOB}-")


def test_vertex_routes_are_served_where_vertex_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIP_PREDICT_ROUTE", "/v1/models/fares:predict")
    monkeypatch.setenv("AIP_HEALTH_ROUTE", "/v1/health")
    with asked(app()) as found:
        answer = found.post("/v1/models/fares:predict", {"instances": [ROW], "parameters": {}}).json
        assert answer["predictions"][0]["prediction_id"] == f"{JOB}-1"
        assert found.get("/v1/health").status == 200
        routes = found.get("/openapi.json").json["paths"]
        assert {"/v1/models/fares:predict", "/v1/health"} <= set(routes)


@pytest.mark.parametrize(
    ("headers", "status", "sentence"),
    [
        ({"content_type": "application/x-www-form-urlencoded"}, 415, "send the rows as application/json"),
        ({"content_type": "application/json; charset=latin-1"}, 415, "the body must be in UTF-8"),
        ({"content_encoding": "gzip"}, 415, "the body must not be compressed"),
        ({"content_length": "200001"}, 413, "a request may have 200,000 bytes"),
    ],
)
def test_a_body_we_do_not_read_is_refused_by_its_headers(
    client: Client, headers: dict[str, str], status: int, sentence: str
) -> None:
    reply = client.post("/predict", {"rows": [ROW]}, **headers)
    assert reply.status == status
    assert reply.json["detail"].startswith(sentence)


def test_a_body_without_content_type_is_taken_as_json(client: Client) -> None:
    assert client.post("/predict", {"rows": [ROW]}, None).status == 200


def test_a_body_is_put_together_from_its_parts_and_cut_off_at_the_limit() -> None:
    data = json.dumps({"rows": [ROW]}).encode()
    with asked(app(limits=Limits(max_body_bytes=1000))) as found:
        whole = found._runner.run(exchange(found.app, "/predict", parts=[data[:10], b"", data[10:]]))
        assert whole.status == 200
        cut = found._runner.run(exchange(found.app, "/predict", parts=[b" " * 600] * 3))
        assert cut.status == 413
        assert cut.headers["connection"] == "close"
        assert found.post("/predict", b" " * 1001).status == 413


def test_a_large_body_is_read_beside_the_event_loop(client: Client) -> None:
    body = json.dumps({"rows": [{**ROW, "note": "x" * 3_000}] * 30}).encode()
    assert len(body) > 65_536
    assert len(client.post("/predict", body).json["predictions"]) == 30


def test_a_caller_who_comes_when_too_much_waits_is_asked_to_come_again() -> None:
    with asked(app(limits=Limits(max_waiting_rows=5))) as found:
        replies = found.post_all("/predict", [{"rows": [ROW] * 4}] * 2)
        assert [reply.status for reply in replies] == [200, 503]
        assert replies[1].headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("HEAD", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/ping", 200),
        ("GET", "/metrics", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/docs", 200),
        ("GET", "/", 307),
        ("GET", "/predict", 405),
        ("DELETE", "/invocations", 405),
        ("POST", "/metrics", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/../etc/passwd", 404),
    ],
)
def test_each_route_has_its_method(client: Client, method: str, path: str, status: int) -> None:
    reply = client.get(path, method)
    assert reply.status == status
    if method == "HEAD":
        assert reply.body == b""
    if status >= 400:
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["status"] == status
    if status == 405:
        assert reply.headers["allow"]


def test_a_server_is_not_ready_before_it_started_and_when_it_ends() -> None:
    application = app()
    with asked(app()) as found:
        starting = found._runner.run(exchange(application, "/readyz", method="GET"))
        assert (starting.status, starting.json["status"]) == (503, "starting")
        refused = found._runner.run(exchange(application, "/predict", {"rows": [ROW]}))
        assert refused.status == 503
        found.app.draining = True
        ending = found.get("/ping")
        assert (ending.status, ending.json["status"]) == (503, "ending")
        assert found.get("/healthz").status == 200
        last = found.post("/predict", {"rows": [ROW]})
        assert (last.status, last.headers["connection"]) == (200, "close")


class Moody(Ridge):
    """Fails on one value, as a model does that met something it never saw."""

    def predict(self, rows: Any) -> Any:
        found = super().predict(rows)
        if (found > 1e6).any():
            raise ValueError("the secret of the model")
        return found


def test_a_model_that_fails_on_some_rows_answers_the_others(caplog: pytest.LogCaptureFixture) -> None:
    schema = table_schema((("features", 0), {"name": "distance_km", "type": "fractional"}))
    with asked(app(package=package_of(Moody(), schema))) as found:
        far = {"rows": [{**ROW, "distance_km": 1e9}]}
        replies = found.post_all("/predict", [{"rows": [ROW]}, far, {"rows": [ROW]}])
    assert [reply.status for reply in replies] == [200, 500, 200]
    assert "secret" not in replies[1].body.decode()
    assert "the secret of the model" in caplog.text


def test_a_prediction_that_is_no_number_is_a_failure_not_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    schema = table_schema((("features", 0), {"name": "distance_km", "type": "fractional"}))
    with asked(app(package=package_of(Ridge(), schema))) as found:
        reply = found.post("/predict", {"rows": [{**ROW, "distance_km": 1.7e308}]})
    assert reply.status == 500
    assert "NaN or infinity" in caplog.text


def test_a_model_that_cannot_predict_its_example_is_not_served() -> None:
    broken = package_of(Moody())
    broken.pipeline[-1].coef_ = broken.pipeline[-1].coef_[:3]
    with pytest.raises(IntegrityError, match="cannot predict its own example"):
        app(package=broken)


def samples(reply: Reply) -> dict[tuple[str, str], float]:
    """Value by the sample's name and status code."""
    families = text_string_to_metric_families(reply.body.decode())
    return {
        (one.name, one.labels.get("code", "")): one.value
        for family in families
        for one in family.samples
        if not one.name.endswith("_bucket")
    }


def test_metrics_count_what_was_asked_and_answered() -> None:
    labels = monitoring((("metrics",), {"namespace": "fares", "labels": {"team": "fares"}}))
    with asked(app(monitoring=labels)) as found:
        found.post("/predict", {"rows": [ROW] * 3})
        found.post("/invocations", {"rows": [{**ROW, "weekday": 9}, {}]})
        found.post("/predict", b"no")
        found.get("/healthz")
        reply = found.get("/metrics")
    value = samples(reply)
    assert value["fares_requests_total", "200"] == 1
    assert value["fares_requests_total", "422"] == 1
    assert value["fares_requests_total", "400"] == 1
    assert value["fares_rows_predicted_total", ""] == 3
    assert value["fares_rows_refused_total", ""] == 2
    assert value["fares_requests_in_flight", ""] == 0
    assert value["fares_request_duration_seconds_count", ""] == 3
    text = reply.body.decode()
    assert 'project="city-taxi"' in text
    assert 'team="fares"' in text
    assert f'config_digest="{DIGEST}"' in text
    assert 'le="0.5"' in text, "the service level is a bound of the histogram"


def test_a_label_that_the_series_have_already_is_a_sentence() -> None:
    changed = monitoring((("metrics",), {"labels": {"instance": "a"}}))
    with pytest.raises(UsageError, match="sets instance, which the series have already"):
        app(monitoring=changed)


def bounds(reply: Reply) -> list[float]:
    """The histogram's upper bounds, without the infinite one."""
    found = re.findall(r'request_duration_seconds_bucket\{[^}]*le="([^"]+)"', reply.body.decode())
    return [float(bound) for bound in found if bound != "+Inf"]


@pytest.mark.parametrize(
    ("objective_ms", "alert_ms", "last"), [(500, 800, 8.192), (10_000, None, 40.0), (500, 30_000, 120.0)]
)
def test_latency_is_measured_beyond_what_alerts_watch_for(
    objective_ms: float, alert_ms: float | None, last: float
) -> None:
    """Prometheus' ``histogram_quantile`` never tells more than the last bound."""
    alerts = [{"name": "slow", "signal": "latency", "threshold": alert_ms}]
    application = app(
        inference=inference((("service_level", "p95_latency_ms"), objective_ms)),
        monitoring=monitoring((("alerts",), alerts)),
    )
    with asked(application) as found:
        seen = bounds(found.get("/metrics"))
    assert seen[-1] == last
    assert {objective_ms / 1000, (alert_ms or objective_ms) / 1000} <= set(seen)


def test_metrics_are_the_series_that_rules_and_dashboard_know() -> None:
    with asked(app()) as found:
        found.post("/predict", {"rows": [ROW]})
        text = found.get("/metrics").body.decode()
    known = {one.name("mlops"): one for one in series.ALL}
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert types
    for name, kind in types.items():
        assert known[name].type == kind


class Asked:
    """A request as openapi-core takes it."""

    def __init__(self, path: str, body: bytes, content_type: str = "application/json") -> None:
        self.host_url = "http://127.0.0.1:8080"
        self.path = self.full_url_pattern = path
        self.full_url_pattern = f"{self.host_url}{path}"
        self.method = "post"
        self.body = body
        self.content_type = content_type
        self.parameters = RequestParameters(header=Headers({"content-type": content_type}))


class Answered:
    """An answer as openapi-core takes it."""

    def __init__(self, reply: Reply) -> None:
        self.status_code = reply.status
        self.content_type = reply.headers["content-type"].split(";")[0]
        self.data = reply.body
        self.headers = reply.headers


def test_the_openapi_document_keeps_its_standard_and_the_server_keeps_the_document(client: Client) -> None:
    document = client.get("/openapi.json").json
    assert document["openapi"] == "3.1.0"
    validate_openapi(document)
    api = OpenAPI.from_dict(
        {**document, "servers": [{"url": "http://127.0.0.1:8080"}]},
        config=Config(extra_media_type_deserializers={"application/problem+json": json.loads}),
    )
    split = {"dataframe_split": {"columns": [*ROW], "data": [[*ROW.values()]]}}
    for path, body in (
        ("/predict", {"rows": [ROW]}),
        ("/predict", {"instances": [ROW]}),
        ("/invocations", {"dataframe_records": [ROW]}),
        ("/invocations", split),
    ):
        request = Asked(path, json.dumps(body).encode())
        api.validate_request(request)
        api.validate_response(request, Answered(client.post(path, body)))
    bad = Asked("/predict", json.dumps({"rows": [{**ROW, "weekday": 9}]}).encode())
    with pytest.raises(Exception, match="Request body validation error"):
        api.validate_request(bad)
    api.validate_response(bad, Answered(client.post("/predict", {"rows": [{**ROW, "weekday": 9}]})))


def test_the_openapi_document_tells_ranges_domains_and_gaps() -> None:
    schema = table_schema((("features", 5, "completeness_min_fraction"), 0.5))
    with asked(app(package=package_of(Ridge(), schema))) as found:
        row = found.get("/openapi.json").json["components"]["schemas"]["Row"]
    assert row["required"] == list(ROW)
    assert row["properties"]["distance_km"] == {"type": "number", "minimum": 0.1, "maximum": 150}
    assert row["properties"]["pickup_zone"]["type"] == ["string", "null"]
    assert row["properties"]["pickup_zone"]["enum"][-1] is None
    assert row["properties"]["pickup_time"]["format"] == "date-time"
    assert row["examples"] == [ROW]


HOSTILE = "</code><script>alert('x')</script> {{ 7 * 7 }} $(id) \u202e"


def hostile() -> ModelPackage:
    """A package whose texts try to break out of wherever they are written."""
    given = package()
    schema = table_schema((("features", 5, "domain"), ["centre", HOSTILE]))
    example = {**given.example, "pickup_zone": [HOSTILE]}
    return ModelPackage(given.pipeline, schema, given.profile, {"mlops.commit": HOSTILE}, example)


def test_hostile_texts_stay_texts_on_the_page() -> None:
    with asked(app(package=hostile(), commit=HOSTILE)) as found:
        reply = found.get("/docs")
    text = reply.body.decode()
    assert "<script" not in text
    assert "{{ 7 * 7 }}" in text
    assert "default-src 'none'" in reply.headers["content-security-policy"]


def test_the_page_tells_what_serves_and_gives_a_request_that_works(client: Client) -> None:
    text = client.get("/docs").body.decode()
    for fact in (DIGEST, COMMIT, "fare_eur", "0.1 to 150", "airport", "curl http://127.0.0.1:8080/predict"):
        assert fact in text
    loads = re.findall(r"""(?:src|href)=["']([^"']+)""", text)
    assert all(not urlsplit(each).netloc for each in loads), "the page loads nothing from elsewhere"
    [body] = re.findall(r"--data &#39;(\{.*?\})&#39;", text, re.DOTALL)
    assert client.post("/predict", body.replace("&#34;", '"').encode()).status == 200


def test_names_of_columns_and_configuration_are_the_packages_and_the_configurations() -> None:
    with asked(app(inference=inference((("metadata", "model_name"), "other-model")))) as found:
        assert "<h1>other-model</h1>" in found.get("/docs").body.decode()
