"""Authorization: may this user do that?"""

from kubeactors.apiserver.authz.attributes import Attributes
from kubeactors.apiserver.authz.authorizer import AllowAuthenticated, Authorizer, Decision, Rules

__all__ = ["AllowAuthenticated", "Attributes", "Authorizer", "Decision", "Rules"]
