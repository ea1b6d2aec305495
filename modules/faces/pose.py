"""How a head stands before a scaled-orthographic camera: its pose, its picture, its angles."""

import torch


def project(mesh: torch.Tensor, rotation: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """[B, P, 3] -> [B, P, 2] pixels, y up."""
    return scale[:, None, None] * mesh @ rotation[:, :2].transpose(1, 2) + shift[:, None]


def pose(mesh: torch.Tensor, target: torch.Tensor, weight: torch.Tensor):
    """The scaled-orthographic pose that takes mesh [B, P, 3] to target [B, P, 2] (y up): rotation, scale, shift."""
    share = (weight / weight.sum())[None, :, None]
    mesh_mean, target_mean = (share * mesh).sum(1, keepdim=True), (share * target).sum(1, keepdim=True)
    m, t = mesh - mesh_mean, target - target_mean
    affine = torch.linalg.lstsq(m * share.sqrt(), t * share.sqrt()).solution.transpose(1, 2)  # [B, 2, 3]
    u, _, v = torch.linalg.svd(affine, full_matrices=False)
    rows = u @ v
    rotation = torch.cat([rows, torch.linalg.cross(rows[:, 0], rows[:, 1])[:, None]], 1)
    flat = m @ rows.transpose(1, 2)
    scale = (share * flat * t).sum((1, 2)) / (share * flat * flat).sum((1, 2)).clamp_min(1e-9)
    shift = (target_mean - scale[:, None, None] * (mesh_mean @ rows.transpose(1, 2)))[:, 0]
    return rotation, scale, shift


def angles(rotation: torch.Tensor) -> torch.Tensor:
    """Rotations [..., 3, 3] (x right, y up, z to the viewer) -> yaw, pitch, roll [..., 3] in degrees.

    Yaw and pitch say where the nose points, roll how the line between the eyes is tilted.
    """
    nose, across = rotation[..., :, 2], rotation[..., :, 0]
    yaw = torch.atan2(nose[..., 0], nose[..., 2])
    pitch = torch.atan2(nose[..., 1], torch.hypot(nose[..., 0], nose[..., 2]))
    roll = torch.atan2(across[..., 1], torch.hypot(across[..., 0], across[..., 2]))
    return torch.rad2deg(torch.stack([yaw, pitch, roll], -1))


def turned(rotation: torch.Tensor, degrees: tuple[float, float, float]) -> torch.Tensor:
    """Rotations [..., 3, 3] after a further turn by yaw, pitch, roll, as `angles` measures them where they are small."""
    (yaw, pitch, roll), one, none = torch.deg2rad(rotation.new_tensor(degrees)), rotation.new_ones(()), rotation.new_zeros(())
    about = lambda rows: torch.stack([torch.stack(row) for row in rows])  # noqa: E731
    y = about([[yaw.cos(), none, yaw.sin()], [none, one, none], [-yaw.sin(), none, yaw.cos()]])
    x = about([[one, none, none], [none, pitch.cos(), pitch.sin()], [none, -pitch.sin(), pitch.cos()]])
    z = about([[roll.cos(), -roll.sin(), none], [roll.sin(), roll.cos(), none], [none, none, one]])
    return z @ y @ x @ rotation
