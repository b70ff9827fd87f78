"""An operator: a Website is served by a Deployment, with its page in a ConfigMap and a Service in front."""

from __future__ import annotations

from pathlib import Path

from kubeactors import AsyncContext, Object, controller


@controller(
    "websites.example.com",
    owns=["configmaps", "deployments", "services"],
    definition=Path(__file__).with_name("definition.yaml"),
)
async def website(site: Object, ctx: AsyncContext) -> None:
    _, served, *service = await ctx.set_children(children(site))
    ready = served.get("status", {}).get("readyReplicas", 0)
    url = f"http://{ctx.name}.{ctx.namespace}" if service else None
    await ctx.patch_status({"readyReplicas": ready, "url": url})
    complete = ready == site["spec"]["replicas"]
    await ctx.set_condition("Ready", complete, "Serving" if complete else "Starting", f"{ready} replicas are ready")


@website.on_delete
async def retire(site: Object, ctx: AsyncContext) -> None:
    ctx.event("Retired", f"{ctx.name} goes off the air")


def children(site: Object) -> list[Object]:
    """What a Website consists of."""
    name, labels = site["metadata"]["name"], {"website": site["metadata"]["name"]}
    server = {
        "name": "server",
        "image": "docker.io/library/busybox:1.37",
        "command": ["httpd", "-f", "-p", "8080", "-h", "/page"],
        "volumeMounts": [{"name": "page", "mountPath": "/page"}],
    }
    pod = {"containers": [server], "volumes": [{"name": "page", "configMap": {"name": name}}]}
    found: list[Object] = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {"index.html": site["spec"]["page"]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "replicas": site["spec"]["replicas"],
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
    ]
    if site["spec"]["public"]:
        ports = [{"port": 80, "targetPort": 8080}]
        spec = {"selector": labels, "ports": ports}
        found.append({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})
    return found


if __name__ == "__main__":
    website.run()
