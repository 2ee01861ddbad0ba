"""Listeners of ELBv2 and their rules.

Vendor's reference: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anysky.errors import AlreadyExistsError, InvalidRequestError
from anysky.model.elb import Listener, Rule, TargetGroup
from anysky.model.loadbalancer import LoadBalancer
from anysky.paging import Page
from anysky.waiting import all_pages

from .ec2 import id_of
from .elb_answers import (
    CreatedListeners,
    CreatedRules,
    Listeners,
    Rules,
    listener_of,
    rule_of,
)
from .elb_tags import first, made, tag_list
from .elb_targets import ELBv2Targets

__all__ = ["ELBv2Listeners", "certificates_of", "listener_parameters"]

_SECURE = frozenset({"https", "tls"})


class ELBv2Listeners(ELBv2Targets):
    """Listeners, and their rules."""

    async def list_listeners(self, balancer: LoadBalancer | str) -> list[Listener]:
        """Return the listeners of a balancer: DescribeListeners.

        Raises:
            NotFoundError: There is no such balancer.
        """
        return await self._listeners({"LoadBalancerArn": id_of(balancer)})

    async def get_listener(self, listener_id: str) -> Listener:
        """Fetch a listener: DescribeListeners.

        Raises:
            NotFoundError: There is no such listener.
        """
        return first(await self._listeners({"ListenerArns": [listener_id]}), listener_id)

    async def create_listener(
        self,
        balancer: LoadBalancer | str,
        port: int,
        proto: str,
        target_group: TargetGroup | str,
        action: str = "forward",
        ssl_cert_arn: str | None = None,
        ssl_policy: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Listener:
        """Let a balancer listen on a further port: CreateListener.

        Args:
            balancer: The balancer, or its id.
            port: The port.
            proto: ``"http"`` or ``"https"``; ``"tcp"``, ``"tls"``, ``"udp"`` or ``"tcp_udp"``.
            target_group: Where connections go.
            action: ``"forward"``; `ask` takes the others.
            ssl_cert_arn: ARN of the certificate, for ``"https"`` and ``"tls"``.
            ssl_policy: Name of the policy for TLS; None for AWS's default.
            tags: Tags.

        Raises:
            AlreadyExistsError: The balancer listens on this port.
            InvalidRequestError: A certificate is missing, or is not of use.
        """
        _only_forward(action)
        parameters = listener_parameters(port, proto, ssl_cert_arn, ssl_policy)
        if any(one.port == port for one in await self.list_listeners(balancer)):
            # AWS would take one of the same settings for it
            raise AlreadyExistsError(f"the balancer listens on port {port} already")
        return await self._make_listener(
            id_of(balancer), id_of(target_group), parameters, tags or {}
        )

    async def delete_listener(self, listener: Listener | str) -> None:
        """Delete a listener with its rules: DeleteListener.

        Raises:
            NotFoundError: There is no such listener.
        """
        await self._act("DeleteListener", {"ListenerArn": id_of(listener)})

    async def list_rules(self, listener: Listener | str) -> list[Rule]:
        """Return the rules of a listener, the one it began with too: DescribeRules.

        Raises:
            NotFoundError: There is no such listener.
        """
        return await self._rules({"ListenerArn": id_of(listener)})

    async def get_rule(self, rule_id: str) -> Rule:
        """Fetch a rule: DescribeRules.

        Raises:
            NotFoundError: There is no such rule.
        """
        return first(await self._rules({"RuleArns": [rule_id]}), rule_id)

    async def create_listener_rule(
        self,
        listener: Listener | str,
        priority: int | str,
        target_group: TargetGroup | str,
        action: str = "forward",
        condition_field: str | None = None,
        condition_value: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Rule:
        """Let a listener send some requests to another target group: CreateRule.

        Args:
            listener: The listener, or its id.
            priority: Its number, 1 to 50000; the lowest that fits decides.
            target_group: Where requests go that meet the condition.
            action: ``"forward"``; `ask` takes the others.
            condition_field: ``"host-header"`` or ``"path-pattern"``; `ask` takes the others.
            condition_value: What it must be, for example ``"/img/*"``.
            tags: Tags.

        Raises:
            AlreadyExistsError: The listener has a rule of this priority.
            InvalidRequestError: There is no condition, or another action than to forward.
        """
        _only_forward(action)
        if condition_field is None or condition_value is None:
            raise InvalidRequestError("a rule needs a condition: its field and its value")
        parameters = {
            "ListenerArn": id_of(listener),
            "Priority": priority,
            "Actions": [{"Type": action, "TargetGroupArn": id_of(target_group)}],
            "Conditions": [{"Field": condition_field, "Values": [condition_value]}],
        }
        async with self.ledger("create_listener_rule") as ledger:
            return await ledger.step(
                f"rule {priority}",
                self._create_rule(parameters, tags or {}),
                undo=self.delete_rule,
                find=self._find_rule,
                find_args=(id_of(listener),),
            )

    async def delete_rule(self, rule: Rule | str) -> None:
        """Delete a rule: DeleteRule.

        Raises:
            NotFoundError: There is no such rule.
        """
        await self._act("DeleteRule", {"RuleArn": id_of(rule)})

    async def _make_listener(
        self,
        balancer_id: str,
        target_group_id: str,
        parameters: Mapping[str, Any],
        tags: Mapping[str, str],
    ) -> Listener:
        whole = {
            **parameters,
            "LoadBalancerArn": balancer_id,
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": target_group_id}],
        }
        async with self.ledger("create_listener") as ledger:
            return await ledger.step(
                f"listener on port {parameters['Port']}",
                self._create_listener(whole, tags),
                undo=self.delete_listener,
                find=self._find_listener,
                find_args=(balancer_id,),
            )

    async def _create_listener(
        self, parameters: Mapping[str, Any], tags: Mapping[str, str]
    ) -> Listener:
        whole = {**parameters, "Tags": tag_list(tags)}
        answer = await self._call("CreateListener", whole, CreatedListeners)
        return listener_of(made(answer.listeners, "listener"))

    async def _find_listener(self, mark: str, balancer_id: str) -> list[Listener]:
        listeners = await self.list_listeners(balancer_id)
        marked = await self._marked([one.id for one in listeners], mark)
        return [one for one in listeners if one.id in marked]

    async def _create_rule(self, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> Rule:
        whole = {**parameters, "Tags": tag_list(tags)}
        answer = await self._call("CreateRule", whole, CreatedRules)
        return rule_of(made(answer.rules, "rule"))

    async def _find_rule(self, mark: str, listener_id: str) -> list[Rule]:
        rules = [one for one in await self.list_rules(listener_id) if not one.is_default]
        marked = await self._marked([one.id for one in rules], mark)
        return [one for one in rules if one.id in marked]

    async def _listeners(self, wanted: Mapping[str, Any]) -> list[Listener]:
        async def page(marker: str | None) -> Page[Listener]:
            parameters = {**wanted, "Marker": marker}
            answer = await self._call("DescribeListeners", parameters, Listeners)
            listeners = [listener_of(one) for one in answer.listeners]
            return Page(listeners, answer.next_marker or None)

        return await all_pages(page, self.connection.limits)

    async def _rules(self, wanted: Mapping[str, Any]) -> list[Rule]:
        async def page(marker: str | None) -> Page[Rule]:
            answer = await self._call("DescribeRules", {**wanted, "Marker": marker}, Rules)
            return Page([rule_of(one) for one in answer.rules], answer.next_marker or None)

        return await all_pages(page, self.connection.limits)


def listener_parameters(
    port: int, protocol: str, certificate: str | None, policy: str | None
) -> dict[str, Any]:
    """Write what a listener listens to.

    Raises:
        InvalidRequestError: A certificate is missing, or is of no use.
    """
    is_secure = protocol.lower() in _SECURE
    if is_secure and certificate is None:
        raise InvalidRequestError(
            f"{protocol} needs a certificate: give the ARN that AWS Certificate Manager tells"
        )
    if not is_secure and (certificate or policy):
        raise InvalidRequestError(f"{protocol} takes no certificate and no policy for TLS")
    return {
        "Port": port,
        "Protocol": protocol.upper(),
        "Certificates": certificates_of(certificate),
        "SslPolicy": policy,
    }


def certificates_of(certificate: str | None) -> list[dict[str, str]] | None:
    """Write the certificate of a listener, which takes exactly one."""
    return None if certificate is None else [{"CertificateArn": certificate}]


def _only_forward(action: str) -> None:
    if action != "forward":
        raise InvalidRequestError(f"the action is 'forward', not {action!r}; `ask` takes others")
