"""Authorization: may this user do that?"""

from kubeactors.apiserver.authz.authorizer import AllowAuthenticated, Authorizer

__all__ = ["AllowAuthenticated", "Authorizer"]
