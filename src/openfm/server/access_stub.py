"""TEMPORARY."""

from sqlalchemy import Connection

from openfm.core.principal import PermissionLevel, Principal


class StubGrants:
    def level(self, caller: Principal, endpoint_id: str) -> PermissionLevel | None:
        return None

    def grant(self, connection: Connection, endpoint_id: str, principal: Principal, level: PermissionLevel) -> None:
        pass

    def forget(self, connection: Connection, endpoint_id: str) -> None:
        pass

    def reload(self) -> None:
        pass

    def may_execute(self, caller: Principal, full_name: str, owner: str) -> bool:
        return True

    def may_manage(self, caller: Principal, full_name: str, owner: str) -> bool:
        return True


class StubKeys:
    def encrypt(self, plaintext: str) -> str:
        return plaintext[::-1]

    def decrypt(self, ciphertext: str) -> str:
        return ciphertext[::-1]

    def resolve(self, reference: str) -> str:
        return reference
