"""The provider's side of each call of the protocol."""

# The names of the methods and their parameters are the plug-in protocol's.
# ruff: noqa: N802, ARG002

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tf.gen import tfplugin_pb2 as pb  # type: ignore[import-not-found]
from tf.gen import tfplugin_pb2_grpc as rpc

from tests.terraform.provider import aws, google
from tests.terraform.provider.cloud import Cloud, CloudError
from tests.terraform.provider.invention import filled, fingerprint, identity
from tests.terraform.provider.planning import (
    VOLATILE,
    changed,
    planned,
    replacing,
    settled_by_the_cloud,
)
from tests.terraform.provider.wire import UNKNOWN, decode, encode, schema, whole

_JSON = ("assume_role_policy", "policy", "policy_data")
_FAMILIES: Mapping[str, Any] = {"aws": aws, "google": google}


def _error(error: CloudError, attribute: str = "") -> list[pb.Diagnostic]:
    diagnostic = pb.Diagnostic(severity=pb.Diagnostic.ERROR, summary=error.summary, detail=error.detail)
    if attribute:
        diagnostic.attribute.steps.add(attribute_name=attribute)
    return [diagnostic]


class Provider(rpc.ProviderServicer):  # type: ignore[misc]
    """Plans and applies the types of one schema, against the folder that ``STANDIN_CLOUD`` names."""

    def __init__(self, family: str, described: Mapping[str, Any]) -> None:
        self._family = _FAMILIES[family]
        self._described = described
        self._resources = described["resource_schemas"]
        self._data = described["data_source_schemas"]
        self._settings: Any = None
        self._cloud: Any = None
        self._naming = threading.Lock()
        self._named: set[tuple[str, str]] = set()

    # What the types are, and whether what is said of them makes sense.

    def GetMetadata(self, request: Any, context: Any) -> Any:
        return pb.GetMetadata.Response(
            server_capabilities=pb.ServerCapabilities(get_provider_schema_optional=True),
            resources=[pb.GetMetadata.ResourceMetadata(type_name=name) for name in self._resources],
            data_sources=[pb.GetMetadata.DataSourceMetadata(type_name=name) for name in self._data],
        )

    def GetProviderSchema(self, request: Any, context: Any) -> Any:
        return pb.GetProviderSchema.Response(
            provider=schema(self._described["provider"]),
            provider_meta=pb.Schema(block=pb.Schema.Block()),
            resource_schemas={name: schema(each) for name, each in self._resources.items()},
            data_source_schemas={name: schema(each) for name, each in self._data.items()},
            server_capabilities=pb.ServerCapabilities(get_provider_schema_optional=True),
        )

    def GetFunctions(self, request: Any, context: Any) -> Any:
        return pb.GetFunctions.Response()

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateProviderConfig.Response()

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateDataResourceConfig.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
        config = decode(request.config)
        diagnostics = []
        for name in settled_by_the_cloud(self._resources[request.type_name]["block"], config):
            said = f'Can\'t configure a value for "{name}": its value will be decided automatically.'
            diagnostics += _error(CloudError("Value for unconfigurable attribute", said))
        for name, value in config.items():
            if name in _JSON and isinstance(value, str):
                try:
                    json.loads(value)
                except ValueError as error:
                    said = f'"{name}" contains an invalid JSON policy: {error}'
                    diagnostics += _error(CloudError(said), name)
        return pb.ValidateResourceConfig.Response(diagnostics=diagnostics)

    # Where it works.

    def ConfigureProvider(self, request: Any, context: Any) -> Any:
        folder = os.environ.get("STANDIN_CLOUD")
        if not folder:
            unset = CloudError("STANDIN_CLOUD is not set", "It names the folder that stands for the cloud.")
            return pb.ConfigureProvider.Response(diagnostics=_error(unset))
        try:
            self._settings = self._family.configured(decode(request.config), os.environ)
            self._cloud = Cloud(Path(folder))
        except CloudError as error:
            return pb.ConfigureProvider.Response(diagnostics=_error(error))
        return pb.ConfigureProvider.Response()

    def StopProvider(self, request: Any, context: Any) -> Any:
        if self._cloud is not None:
            self._cloud.stopping.set()
        return pb.StopProvider.Response()

    # State that was written before.

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        block = self._resources[request.type_name]["block"]
        state = whole(block, json.loads(request.raw_state.json))
        return pb.UpgradeResourceState.Response(upgraded_state=encode(state))

    def ReadResource(self, request: Any, context: Any) -> Any:
        kind, state = request.type_name, decode(request.current_state)
        block = self._resources[kind]["block"]
        name = request.private.decode() or identity(kind, state)
        if refused := self._family.forbidden(state, self._settings, os.environ):
            return pb.ReadResource.Response(diagnostics=_error(refused))
        try:
            self._cloud.call(kind, "read", name)
            found = self._cloud.read(kind, name)
        except CloudError as error:
            return pb.ReadResource.Response(diagnostics=_error(error))
        seen = None if found is None else whole(block, found)
        return pb.ReadResource.Response(new_state=encode(seen), private=name.encode())

    def ImportResourceState(self, request: Any, context: Any) -> Any:
        kind = request.type_name
        if (found := self._cloud.read(kind, request.id)) is not None:
            state = encode(whole(self._resources[kind]["block"], found))
            imported = pb.ImportResourceState.ImportedResource(
                type_name=kind, state=state, private=request.id.encode()
            )
            return pb.ImportResourceState.Response(imported_resources=[imported])
        error = CloudError(
            "Cannot import non-existent remote object", f"There is no {kind} with the id {request.id!r}."
        )
        return pb.ImportResourceState.Response(diagnostics=_error(error))

    # A change: first what it will be, then doing it.

    def PlanResourceChange(self, request: Any, context: Any) -> Any:
        kind = request.type_name
        prior, proposed = decode(request.prior_state), decode(request.proposed_new_state)
        if proposed is None:
            return pb.PlanResourceChange.Response(
                planned_state=request.proposed_new_state, planned_private=request.prior_private
            )
        block = self._resources[kind]["block"]
        values = planned(block, proposed, prior)
        values |= self._family.known_at_plan(values, self._settings)
        replaced: list[pb.AttributePath] = []
        if prior is not None and (differing := changed(values, prior)):
            replaced = [
                pb.AttributePath(steps=[pb.AttributePath.Step(attribute_name=name)])
                for name in sorted(differing & replacing(kind))
            ]
            for name in VOLATILE & block.get("attributes", {}).keys() - differing:
                if block["attributes"][name].get("computed"):
                    values[name] = UNKNOWN
        return pb.PlanResourceChange.Response(
            planned_state=encode(values), requires_replace=replaced, planned_private=request.prior_private
        )

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:
        kind = request.type_name
        prior, wanted = decode(request.prior_state), decode(request.planned_state)
        answer = pb.ApplyResourceChange.Response
        name = request.planned_private.decode() or (identity(kind, prior) if prior else "")
        try:
            if wanted is None:
                self._cloud.call(kind, "delete", name)
                self._cloud.delete(kind, name)
                return answer(new_state=encode(None))
            if prior is not None:
                return self._update(kind, name, wanted)
            return self._create(kind, wanted)
        except CloudError as error:
            return answer(new_state=request.prior_state, private=name.encode(), diagnostics=_error(error))

    def _create(self, kind: str, wanted: Mapping[str, Any]) -> Any:
        if refused := self._family.forbidden(wanted, self._settings, os.environ):
            raise refused
        values, name = self._new(kind, wanted)
        error = None
        try:
            self._cloud.call(kind, "create", name)
            if self._cloud.read(kind, name) is not None and (
                refused := self._family.taken(kind, values, self._settings)
            ):
                raise refused
        except CloudError as raised:
            error = raised
            if not error.made:
                return pb.ApplyResourceChange.Response(new_state=encode(None), diagnostics=_error(error))
        self._cloud.write(kind, name, values)
        return pb.ApplyResourceChange.Response(
            new_state=encode(values), private=name.encode(), diagnostics=_error(error) if error else []
        )

    def _update(self, kind: str, name: str, wanted: Mapping[str, Any]) -> Any:
        self._cloud.call(kind, "update", name)
        if self._cloud.read(kind, name) is None:
            raise CloudError(f"updating {kind} ({name}): it does not exist")
        block = self._resources[kind]["block"]
        values = filled(block, wanted, {}, fingerprint(kind, wanted))
        self._cloud.write(kind, name, values)
        return pb.ApplyResourceChange.Response(new_state=encode(values), private=name.encode())

    def _new(self, kind: str, wanted: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """An object's attributes and name; a name of its own for each, where the cloud chooses the names."""
        block = self._resources[kind]["block"]
        names: set[str] = set()
        again = 0
        while True:
            seed = fingerprint(kind, wanted, again)
            values = filled(block, wanted, self._family.special(kind, wanted, self._settings, seed), seed)
            name = identity(kind, values)
            with self._naming:
                free = (kind, name) not in self._named and self._cloud.read(kind, name) is None
                if free or name in names:
                    self._named.add((kind, name))
                    return values, name
            names.add(name)
            again += 1

    # What is there already.

    def ReadDataSource(self, request: Any, context: Any) -> Any:
        kind, config = request.type_name, decode(request.config)
        answer = pb.ReadDataSource.Response
        if refused := self._family.forbidden(config, self._settings, os.environ):
            return answer(diagnostics=_error(refused))
        if kind in self._family.DATA:
            return answer(state=encode({**config, **self._family.DATA[kind](config, self._settings)}))
        asked = {key: value for key, value in config.items() if isinstance(value, str)}
        for found in self._cloud.all(kind):
            if all(found.get(key) == value for key, value in asked.items()):
                return answer(state=encode({**whole(self._data[kind]["block"], found), **asked}))
        error = CloudError(f"reading {kind}: couldn't find resource", f"None has {asked}.")
        return answer(diagnostics=_error(error))
