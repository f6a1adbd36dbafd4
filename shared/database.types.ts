export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

export type Database = {
  "public": {
    Tables: {
      "agent_tasks": {
        Row: {
          "agent_id": string | null;
          "agent_type": string;
          "attempt": number;
          "available_at": string;
          "completed_at": string | null;
          "created_at": string;
          "error_message": string | null;
          "execution_time_ms": number | null;
          "id": string;
          "input_data": Json | null;
          "iteration": number;
          "label": string | null;
          "lease_digest": string | null;
          "lease_expires_at": string | null;
          "map_index": number | null;
          "max_attempts": number;
          "node_id": string;
          "node_index": number;
          "node_type": string;
          "output_data": Json | null;
          "priority": number;
          "project_id": string;
          "remaining": number;
          "report_digest": string | null;
          "started_at": string | null;
          "status": string;
          "version_id": string;
          "worker_id": string | null;
          "workflow_execution_id": string;
        };
        ComputedFields: never;
        Insert: {
          "agent_id"?: string | null;
          "agent_type": string;
          "attempt"?: number;
          "available_at"?: string;
          "completed_at"?: string | null;
          "created_at"?: string;
          "error_message"?: string | null;
          "execution_time_ms"?: number | null;
          "id"?: string;
          "input_data"?: Json | null;
          "iteration"?: number;
          "label"?: string | null;
          "lease_digest"?: string | null;
          "lease_expires_at"?: string | null;
          "map_index"?: number | null;
          "max_attempts"?: number;
          "node_id": string;
          "node_index": number;
          "node_type"?: string;
          "output_data"?: Json | null;
          "priority"?: number;
          "project_id": string;
          "remaining"?: number;
          "report_digest"?: string | null;
          "started_at"?: string | null;
          "status"?: string;
          "version_id": string;
          "worker_id"?: string | null;
          "workflow_execution_id": string;
        };
        Update: {
          "agent_id"?: string | null;
          "agent_type"?: string;
          "attempt"?: number;
          "available_at"?: string;
          "completed_at"?: string | null;
          "created_at"?: string;
          "error_message"?: string | null;
          "execution_time_ms"?: number | null;
          "id"?: string;
          "input_data"?: Json | null;
          "iteration"?: number;
          "label"?: string | null;
          "lease_digest"?: string | null;
          "lease_expires_at"?: string | null;
          "map_index"?: number | null;
          "max_attempts"?: number;
          "node_id"?: string;
          "node_index"?: number;
          "node_type"?: string;
          "output_data"?: Json | null;
          "priority"?: number;
          "project_id"?: string;
          "remaining"?: number;
          "report_digest"?: string | null;
          "started_at"?: string | null;
          "status"?: string;
          "version_id"?: string;
          "worker_id"?: string | null;
          "workflow_execution_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "agent_tasks_agent_id_fkey";
            columns: ["agent_id"];
            isOneToOne: false;
            referencedRelation: "agents";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "agent_tasks_workflow_execution_id_fkey";
            columns: ["workflow_execution_id"];
            isOneToOne: false;
            referencedRelation: "workflow_executions";
            referencedColumns: ["id"];
          },
        ];
      };
      "agent_types": {
        Row: {
          "created_at": string;
          "description": string | null;
          "id": string;
          "name": string;
          "project_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "description"?: string | null;
          "id"?: string;
          "name": string;
          "project_id"?: string | null;
        };
        Update: {
          "created_at"?: string;
          "description"?: string | null;
          "id"?: string;
          "name"?: string;
          "project_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "agent_types_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
        ];
      };
      "agents": {
        Row: {
          "configuration": NonNullable<Json>;
          "created_at": string;
          "created_by": string | null;
          "description": string | null;
          "id": string;
          "model_name": string | null;
          "model_provider": string | null;
          "name": string;
          "project_id": string | null;
          "status": string;
          "system_prompt": string | null;
          "tools": NonNullable<Json>;
          "type": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "configuration"?: NonNullable<Json>;
          "created_at"?: string;
          "created_by"?: string | null;
          "description"?: string | null;
          "id"?: string;
          "model_name"?: string | null;
          "model_provider"?: string | null;
          "name": string;
          "project_id"?: string | null;
          "status"?: string;
          "system_prompt"?: string | null;
          "tools"?: NonNullable<Json>;
          "type": string;
          "updated_at"?: string;
        };
        Update: {
          "configuration"?: NonNullable<Json>;
          "created_at"?: string;
          "created_by"?: string | null;
          "description"?: string | null;
          "id"?: string;
          "model_name"?: string | null;
          "model_provider"?: string | null;
          "name"?: string;
          "project_id"?: string | null;
          "status"?: string;
          "system_prompt"?: string | null;
          "tools"?: NonNullable<Json>;
          "type"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "agents_created_by_fkey";
            columns: ["created_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "agents_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
        ];
      };
      "chat_messages": {
        Row: {
          "artifacts": NonNullable<Json>;
          "content": string;
          "created_at": string;
          "id": string;
          "metadata": NonNullable<Json>;
          "role": string;
          "session_id": string;
          "task_id": string | null;
          "user_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "artifacts"?: NonNullable<Json>;
          "content": string;
          "created_at"?: string;
          "id"?: string;
          "metadata"?: NonNullable<Json>;
          "role": string;
          "session_id": string;
          "task_id"?: string | null;
          "user_id"?: string | null;
        };
        Update: {
          "artifacts"?: NonNullable<Json>;
          "content"?: string;
          "created_at"?: string;
          "id"?: string;
          "metadata"?: NonNullable<Json>;
          "role"?: string;
          "session_id"?: string;
          "task_id"?: string | null;
          "user_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "chat_messages_session_id_fkey";
            columns: ["session_id"];
            isOneToOne: false;
            referencedRelation: "chat_sessions";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "chat_messages_task_id_fkey";
            columns: ["task_id"];
            isOneToOne: false;
            referencedRelation: "agent_tasks";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "chat_messages_user_id_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["id"];
          },
        ];
      };
      "chat_sessions": {
        Row: {
          "context": NonNullable<Json>;
          "created_at": string;
          "id": string;
          "is_shared": boolean;
          "project_id": string;
          "status": string;
          "title": string | null;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "context"?: NonNullable<Json>;
          "created_at"?: string;
          "id"?: string;
          "is_shared"?: boolean;
          "project_id": string;
          "status"?: string;
          "title"?: string | null;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Update: {
          "context"?: NonNullable<Json>;
          "created_at"?: string;
          "id"?: string;
          "is_shared"?: boolean;
          "project_id"?: string;
          "status"?: string;
          "title"?: string | null;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "chat_sessions_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "chat_sessions_user_id_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["id"];
          },
        ];
      };
      "code_artifacts": {
        Row: {
          "content": string;
          "content_sha256": string;
          "created_at": string;
          "created_by": string | null;
          "file_path": string;
          "id": string;
          "is_active": boolean;
          "language": string | null;
          "metadata": NonNullable<Json>;
          "name": string;
          "project_id": string;
          "task_id": string | null;
          "type": string;
          "updated_at": string;
          "version": number;
        };
        ComputedFields: never;
        Insert: {
          "content": string;
          "content_sha256"?: never;
          "created_at"?: string;
          "created_by"?: string | null;
          "file_path": string;
          "id"?: string;
          "is_active"?: boolean;
          "language"?: string | null;
          "metadata"?: NonNullable<Json>;
          "name": string;
          "project_id": string;
          "task_id"?: string | null;
          "type"?: string;
          "updated_at"?: string;
          "version"?: number;
        };
        Update: {
          "content"?: string;
          "content_sha256"?: never;
          "created_at"?: string;
          "created_by"?: string | null;
          "file_path"?: string;
          "id"?: string;
          "is_active"?: boolean;
          "language"?: string | null;
          "metadata"?: NonNullable<Json>;
          "name"?: string;
          "project_id"?: string;
          "task_id"?: string | null;
          "type"?: string;
          "updated_at"?: string;
          "version"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "code_artifacts_created_by_fkey";
            columns: ["created_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "code_artifacts_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "code_artifacts_task_id_fkey";
            columns: ["task_id"];
            isOneToOne: false;
            referencedRelation: "agent_tasks";
            referencedColumns: ["id"];
          },
        ];
      };
      "execution_events": {
        Row: {
          "created_at": string;
          "data": NonNullable<Json>;
          "id": number;
          "project_id": string;
          "task_id": string | null;
          "transaction_id": unknown;
          "type": string;
          "workflow_execution_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "data"?: NonNullable<Json>;
          "id"?: never;
          "project_id": string;
          "task_id"?: string | null;
          "transaction_id"?: unknown;
          "type": string;
          "workflow_execution_id": string;
        };
        Update: {
          "created_at"?: string;
          "data"?: NonNullable<Json>;
          "id"?: never;
          "project_id"?: string;
          "task_id"?: string | null;
          "transaction_id"?: unknown;
          "type"?: string;
          "workflow_execution_id"?: string;
        };
        Relationships: [];
      };
      "file_storage": {
        Row: {
          "bucket_name": string;
          "created_at": string;
          "file_name": string;
          "file_path": string;
          "file_size": number | null;
          "id": string;
          "metadata": NonNullable<Json>;
          "mime_type": string | null;
          "project_id": string;
          "public_url": string | null;
          "sha256": string | null;
          "status": string;
          "uploaded_by": string | null;
        };
        ComputedFields: never;
        Insert: {
          "bucket_name"?: string;
          "created_at"?: string;
          "file_name": string;
          "file_path": string;
          "file_size"?: number | null;
          "id"?: string;
          "metadata"?: NonNullable<Json>;
          "mime_type"?: string | null;
          "project_id": string;
          "public_url"?: string | null;
          "sha256"?: string | null;
          "status"?: string;
          "uploaded_by"?: string | null;
        };
        Update: {
          "bucket_name"?: string;
          "created_at"?: string;
          "file_name"?: string;
          "file_path"?: string;
          "file_size"?: number | null;
          "id"?: string;
          "metadata"?: NonNullable<Json>;
          "mime_type"?: string | null;
          "project_id"?: string;
          "public_url"?: string | null;
          "sha256"?: string | null;
          "status"?: string;
          "uploaded_by"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "file_storage_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "file_storage_uploaded_by_fkey";
            columns: ["uploaded_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["id"];
          },
        ];
      };
      "profiles": {
        Row: {
          "avatar_url": string | null;
          "created_at": string;
          "email": string;
          "full_name": string | null;
          "id": string;
          "preferences": NonNullable<Json>;
          "role": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "avatar_url"?: string | null;
          "created_at"?: string;
          "email": string;
          "full_name"?: string | null;
          "id": string;
          "preferences"?: NonNullable<Json>;
          "role"?: string;
          "updated_at"?: string;
        };
        Update: {
          "avatar_url"?: string | null;
          "created_at"?: string;
          "email"?: string;
          "full_name"?: string | null;
          "id"?: string;
          "preferences"?: NonNullable<Json>;
          "role"?: string;
          "updated_at"?: string;
        };
        Relationships: [];
      };
      "project_collaborators": {
        Row: {
          "created_at": string;
          "id": string;
          "permissions": NonNullable<Json>;
          "project_id": string;
          "role": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "id"?: string;
          "permissions"?: NonNullable<Json>;
          "project_id": string;
          "role"?: string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "id"?: string;
          "permissions"?: NonNullable<Json>;
          "project_id"?: string;
          "role"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "project_collaborators_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "project_collaborators_user_id_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["id"];
          },
        ];
      };
      "project_invitations": {
        Row: {
          "accepted_at": string | null;
          "accepted_by": string | null;
          "created_at": string;
          "email": string;
          "expires_at": string;
          "id": string;
          "invited_by": string | null;
          "project_id": string;
          "role": string;
          "status": string;
        };
        ComputedFields: never;
        Insert: {
          "accepted_at"?: string | null;
          "accepted_by"?: string | null;
          "created_at"?: string;
          "email": string;
          "expires_at"?: string;
          "id"?: string;
          "invited_by"?: string | null;
          "project_id": string;
          "role"?: string;
          "status"?: string;
        };
        Update: {
          "accepted_at"?: string | null;
          "accepted_by"?: string | null;
          "created_at"?: string;
          "email"?: string;
          "expires_at"?: string;
          "id"?: string;
          "invited_by"?: string | null;
          "project_id"?: string;
          "role"?: string;
          "status"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "project_invitations_accepted_by_fkey";
            columns: ["accepted_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "project_invitations_invited_by_fkey";
            columns: ["invited_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "project_invitations_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
        ];
      };
      "projects": {
        Row: {
          "created_at": string;
          "description": string | null;
          "id": string;
          "name": string;
          "owner_id": string;
          "settings": NonNullable<Json>;
          "status": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "description"?: string | null;
          "id"?: string;
          "name": string;
          "owner_id": string;
          "settings"?: NonNullable<Json>;
          "status"?: string;
          "updated_at"?: string;
        };
        Update: {
          "created_at"?: string;
          "description"?: string | null;
          "id"?: string;
          "name"?: string;
          "owner_id"?: string;
          "settings"?: NonNullable<Json>;
          "status"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "projects_owner_id_fkey";
            columns: ["owner_id"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["id"];
          },
        ];
      };
      "workflow_executions": {
        Row: {
          "completed_at": string | null;
          "created_at": string;
          "error_message": string | null;
          "id": string;
          "idempotency_key": string | null;
          "input": NonNullable<Json>;
          "project_id": string;
          "started_at": string | null;
          "started_by": string | null;
          "state": NonNullable<Json>;
          "status": string;
          "version": number;
          "version_id": string;
          "workflow_id": string;
        };
        ComputedFields: never;
        Insert: {
          "completed_at"?: string | null;
          "created_at"?: string;
          "error_message"?: string | null;
          "id"?: string;
          "idempotency_key"?: string | null;
          "input"?: NonNullable<Json>;
          "project_id": string;
          "started_at"?: string | null;
          "started_by"?: string | null;
          "state": NonNullable<Json>;
          "status"?: string;
          "version": number;
          "version_id": string;
          "workflow_id": string;
        };
        Update: {
          "completed_at"?: string | null;
          "created_at"?: string;
          "error_message"?: string | null;
          "id"?: string;
          "idempotency_key"?: string | null;
          "input"?: NonNullable<Json>;
          "project_id"?: string;
          "started_at"?: string | null;
          "started_by"?: string | null;
          "state"?: NonNullable<Json>;
          "status"?: string;
          "version"?: number;
          "version_id"?: string;
          "workflow_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "workflow_executions_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "workflow_executions_started_by_fkey";
            columns: ["started_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "workflow_executions_version_id_fkey";
            columns: ["version_id"];
            isOneToOne: false;
            referencedRelation: "workflow_versions";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "workflow_executions_workflow_id_fkey";
            columns: ["workflow_id"];
            isOneToOne: false;
            referencedRelation: "workflows";
            referencedColumns: ["id"];
          },
        ];
      };
      "workflow_versions": {
        Row: {
          "created_at": string;
          "created_by": string | null;
          "definition": NonNullable<Json>;
          "id": string;
          "project_id": string;
          "source_version": number | null;
          "version": number;
          "warnings": NonNullable<Json>;
          "workflow_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "created_by"?: string | null;
          "definition": NonNullable<Json>;
          "id"?: string;
          "project_id": string;
          "source_version"?: number | null;
          "version": number;
          "warnings"?: NonNullable<Json>;
          "workflow_id": string;
        };
        Update: {
          "created_at"?: string;
          "created_by"?: string | null;
          "definition"?: NonNullable<Json>;
          "id"?: string;
          "project_id"?: string;
          "source_version"?: number | null;
          "version"?: number;
          "warnings"?: NonNullable<Json>;
          "workflow_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "workflow_versions_created_by_fkey";
            columns: ["created_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "workflow_versions_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "workflow_versions_workflow_id_fkey";
            columns: ["workflow_id"];
            isOneToOne: false;
            referencedRelation: "workflows";
            referencedColumns: ["id"];
          },
        ];
      };
      "workflows": {
        Row: {
          "completed_at": string | null;
          "created_at": string;
          "created_by": string | null;
          "current_version": number | null;
          "definition": NonNullable<Json>;
          "description": string | null;
          "id": string;
          "name": string;
          "project_id": string;
          "started_at": string | null;
          "status": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "completed_at"?: string | null;
          "created_at"?: string;
          "created_by"?: string | null;
          "current_version"?: number | null;
          "definition": NonNullable<Json>;
          "description"?: string | null;
          "id"?: string;
          "name": string;
          "project_id": string;
          "started_at"?: string | null;
          "status"?: string;
          "updated_at"?: string;
        };
        Update: {
          "completed_at"?: string | null;
          "created_at"?: string;
          "created_by"?: string | null;
          "current_version"?: number | null;
          "definition"?: NonNullable<Json>;
          "description"?: string | null;
          "id"?: string;
          "name"?: string;
          "project_id"?: string;
          "started_at"?: string | null;
          "status"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "workflows_created_by_fkey";
            columns: ["created_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "workflows_project_id_fkey";
            columns: ["project_id"];
            isOneToOne: false;
            referencedRelation: "projects";
            referencedColumns: ["id"];
          },
        ];
      };
    };
    Views: {
      "project_members": {
        Row: {
          "avatar_url": string | null;
          "full_name": string | null;
          "project_id": string | null;
          "role": string | null;
          "user_id": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
    };
    Functions: {
      "abort_upload": { Args: { "file_id": string }; Returns: Json };
      "accept_invitation": { Args: { "token_sha256": string }; Returns: Json };
      "claim_tasks": {
        Args: {
          "agent_types": (string)[];
          "execution_id"?: string;
          "lease_seconds"?: number;
          "limit"?: number;
          "project_id"?: string;
          "worker_id": string;
        };
        Returns: Json;
      };
      "complete_task": {
        Args: {
          "artifacts"?: Json;
          "error_message"?: string;
          "execution_time_ms"?: number;
          "label"?: string;
          "lease_token": string;
          "messages"?: Json;
          "output_data"?: Json;
          "status": string;
          "task_id": string;
        };
        Returns: Json;
      };
      "finish_upload": {
        Args: { "file_id": string; "file_size": number; "mime_type"?: string; "sha256": string };
        Returns: Json;
      };
      "heartbeat_task": { Args: { "lease_seconds"?: number; "lease_token": string; "task_id": string }; Returns: Json };
      "invite_collaborator": {
        Args: { "email": string; "project_id": string; "role": string; "token_sha256": string };
        Returns: Json;
      };
      "register_upload": {
        Args: { "file_name": string; "mime_type"?: string; "path"?: string; "project_id": string };
        Returns: Json;
      };
      "save_artifact": {
        Args: {
          "base_version"?: number;
          "content": string;
          "file_path": string;
          "language"?: string;
          "metadata"?: Json;
          "name"?: string;
          "project_id": string;
          "task_id"?: string;
          "type"?: string;
        };
        Returns: Json;
      };
      "start_workflow": {
        Args: { "idempotency_key"?: string; "input"?: Json; "version"?: number; "workflow_id": string };
        Returns: Json;
      };
      "withdraw_invitation": { Args: { "invitation_id": string }; Returns: Json };
    };
    Enums: {
      [_ in never]: never;
    };
    CompositeTypes: {
      [_ in never]: never;
    };
  };
};

type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">;

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">];

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof (
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
    )
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals } ? (
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
  )[TableName] extends {
    Row: infer R;
  } ? R
  : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R;
    } ? R
    : never
  : never;

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
    Insert: infer I;
  } ? I
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I;
    } ? I
    : never
  : never;

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
    Update: infer U;
  } ? U
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U;
    } ? U
    : never
  : never;

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never,
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never;

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never,
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never;

export const Constants = {
  "public": {
    Enums: {},
  },
} as const;
