"""What selectors of devices may name (resource.k8s.io).

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
"""

from typing import Final

from kubeactors.api.cel import macros, types
from kubeactors.api.cel.declared import Declared, map_type, object_type
from kubeactors.api.cel.environment import BASE
from kubeactors.api.cel.libraries.quantities import QUANTITY_TYPE

DEVICE: Final = "device"
_MOST: Final = 32  # attributes, and capacities, of a device
_ATTRIBUTE: Final = Declared(types.DYN, 0, 64)
_DOMAIN: Final = Declared(types.STRING, 2, 63)
_NAME: Final = Declared(types.STRING, 2, 32)

DEVICE_TYPE: Final = object_type(
    "kubernetes.DRADevice",
    {
        "driver": Declared(types.STRING, 2, 63),
        "attributes": map_type(_DOMAIN, map_type(_NAME, _ATTRIBUTE, _MOST, any_name=True), _MOST),
        "capacity": map_type(_DOMAIN, map_type(_NAME, Declared(QUANTITY_TYPE), _MOST), _MOST),
        "allowMultipleAllocations": Declared(types.BOOL, 4),
    },
)
ENVIRONMENT: Final = BASE.with_libraries(macros_of=macros.BINDINGS).with_variables({DEVICE: DEVICE_TYPE.type})
