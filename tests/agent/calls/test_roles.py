"""Roles: which call another model answers, and how they are given."""

from __future__ import annotations

import pytest

from sstar_code.agent.calls.roles import ROLES, RoleModels, role_of
from sstar_code.agent.jobs.choices import Endpoint
from sstar_code.agent.jobs.session import make_config
from sstar_code.agent.models.request import Message, Purpose, Request, Stage
from sstar_code.agent.prompts.templates import Prompts
from sstar_code.agent.testing.scripted import ScriptedModel
from sstar_code.problems import UserError


@pytest.mark.parametrize(
    ("stage", "ordinal", "role"),
    [
        (Stage.GENERATE, "", "drafter"),
        (Stage.GENERATE, "ideas", "drafter"),
        (Stage.DEBUG, "", "editor"),
        (Stage.DEBUG, "last", "editor"),
        (Stage.DEBUG, "feedback-2", "feedback"),
        (Stage.DEBUG, "critique", "feedback"),
        (Stage.DEBUG, "associate", "feedback"),
        (Stage.INPUTS, "kit/0", "selector"),
        (Stage.JUDGE, "judge/pair-0-1", "selector"),
        (Stage.JUDGE, "choose/judge-2/0/swapped", "selector2"),
        (Stage.INPUTS, "kit/judge-2/0", "selector"),
    ],
)
@pytest.mark.anyio
async def test_a_call_goes_to_the_model_of_its_role(stage, ordinal, role):
    """To that of `-m` where the role has none."""
    main, own = ScriptedModel(["main"]), ScriptedModel([role])
    request = Request((Message("user", "hello"),), Purpose("p", stage, ordinal=ordinal))
    assert role_of(request.purpose) == role
    assert (await RoleModels(main, {role: own}).ask(request)).text == role
    others = {name: ScriptedModel([name]) for name in ROLES if name != role}
    assert (await RoleModels(main, others).ask(request)).text == "main"


def test_a_role_has_a_name_and_perhaps_an_address():
    """Without one it is asked for at the address of the others; all else is the same."""
    endpoint = Endpoint(
        "m", ("http://a/v1",), top_k=3, role_models=["editor=e/m@x", "feedback=f@http://b@c/v1"]
    )
    roles = endpoint.roles
    assert (roles["editor"].model, roles["editor"].base_urls) == ("e/m@x", ("http://a/v1",))
    assert (roles["feedback"].model, roles["feedback"].base_urls) == ("f", ("http://b@c/v1",))
    assert {role.top_k for role in roles.values()} == {3}


@pytest.mark.parametrize(
    "given", [["selector=a", "selector=b", "selector=c"], ["selector=a", "selector2=b", "selector=c"]]
)
def test_several_selectors_are_several_judges(given):
    """In the order given; one beside the model itself is the second."""
    endpoint = Endpoint("m", ("http://a/v1",), role_models=given)
    assert {role: own.model for role, own in endpoint.roles.items()} == {
        "selector": "a",
        "selector2": "b",
        "selector3": "c",
    }
    assert endpoint.judges == 3
    assert Endpoint("m", role_models=["selector2=b"]).judges == 2
    assert Endpoint("m", role_models=["selector=b"]).judges == 1
    with pytest.raises(UserError, match="selector is given twice"):
        _ = Endpoint("m", role_models=["selector=a"] * 5).roles


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["editr=x"], "--role-model 'editr=x': it must be ROLE=NAME or ROLE=NAME@URL"),
        (["editr=x"], "did you mean 'editor'?"),
        (["editor"], "one of drafter, feedback, editor, selector"),
        (["editor="], "must be ROLE=NAME"),
        (["editor=a", "editor=b"], "editor is given twice"),
    ],
)
def test_a_wrong_role_is_one_line(given, told):
    """It says what there is."""
    with pytest.raises(UserError) as raised:
        Endpoint("m", role_models=given)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_configuration_holds_the_models_of_the_roles():
    """So a run with others does not go on; one without roles is as it was."""
    plain = make_config("x", Endpoint("m"), Prompts())
    config = make_config("x", Endpoint("m", role_models=["editor=e@http://b/v1"]), Prompts())
    assert config == {**plain, "role_models": {"editor": "e"}}
