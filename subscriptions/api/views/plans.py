"""Plans: list, look at. They are written in the admin or by `load_plans`, not over the API."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from credits.api.pages import Pages
from credits.api.schema import describe
from credits.api.views.base import ApiViewSet
from subscriptions import queries, refusals
from subscriptions.api import examples
from subscriptions.api.shapes import PlanOut, print_plan
from subscriptions.models import PlanVersion


class PlanPages(Pages):
    """By rank, the lowest first."""

    ordering = ("rank", "plan_id")  # type: ignore[assignment]


class PlanViewSet(ApiViewSet):
    """What is sold."""

    queryset = PlanVersion.objects.all()
    serializer_class = PlanOut
    lookup_field = "code"
    pagination_class = PlanPages

    @describe("List plans", tag="Plans", answer=PlanOut(many=True), example=examples.PLAN)
    def list(self, request: Request) -> Response:
        """Those that are offered, as new subscribers get them; the lowest rank first."""
        return self.answer_page(queries.offered_versions(), print_plan)

    @describe("Look at a plan", tag="Plans", answer=PlanOut, example=examples.PLAN)
    def retrieve(self, request: Request, code: str) -> Response:
        """As its newest version has it, offered or not."""
        if "\0" in code:
            raise refusals.UnknownPlan("There is no such plan.")
        return Response(print_plan(queries.newest_version(code)))
