//! What does Nova-Torch speak over gRPC? Its interface, as text and compiled.

/// The interface definition, proto3.
pub const PROTO: &str = include_str!("../proto/nova_torch.proto");

/// The same as an encoded `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/nova_torch.bin"));

/// The path of the one method, as HTTP/2 has it.
pub const REGISTER_AGENT: &str = "/nova_torch.NovaOrchestrator/RegisterAgent";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptors_hold_every_name_of_the_definition() {
        let holds = |name: &str| DESCRIPTORS.windows(name.len()).any(|window| window == name.as_bytes());
        for name in ["nova_torch", "NovaOrchestrator", "RegisterAgent", "capabilities", "success"] {
            assert!(PROTO.contains(name) && holds(name), "{name}");
        }
        let (service, method) = REGISTER_AGENT.trim_start_matches('/').split_once('/').unwrap_or_default();
        assert_eq!((service, method), ("nova_torch.NovaOrchestrator", "RegisterAgent"));
    }
}
