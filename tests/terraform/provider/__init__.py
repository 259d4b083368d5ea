"""A provider of Terraform whose cloud is a folder; README.md beside it says what it can do."""

import sys
import types

# Terraform starts us three times a plan, and gRPC's half for asyncio, which has no use here, is long to load.
sys.modules["grpc.aio"] = types.ModuleType("grpc.aio")
